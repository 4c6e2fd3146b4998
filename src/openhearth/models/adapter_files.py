"""Adapters as files, in the layout of the `peft` library. Reading them needs no torch."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from openhearth.errors import CorruptArtifact, NotFound, UsageError
from openhearth.models.names import HF, partners, translate
from openhearth.models.safetensors_reader import read_safetensors
from openhearth.store.artifact import file_digest

if TYPE_CHECKING:
    from openhearth.store import Artifact, Draft

WEIGHTS, SETTINGS = "adapter_model.safetensors", "adapter_config.json"
PREFIX = "base_model.model."


def check_adapter(path: Path) -> None:
    """Make sure that there is a directory with an adapter's files, without reading them.

    Raises:
        NotFound: there is no such directory, or it lacks a file.
    """
    missing = [name for name in (WEIGHTS, SETTINGS) if not (path / name).is_file()]
    if missing:
        raise NotFound(f"{path} has no {' and no '.join(missing)}: give an adapter's directory.")


def import_adapter(base: Artifact, path: Path) -> Artifact:
    """Make an artifact of a directory as `peft` writes it, for a model in a store.

    Raises:
        NotFound: there is no such directory, or it lacks a file.
    """
    check_adapter(path)

    def build(draft: Draft) -> None:
        for name in (WEIGHTS, SETTINGS):
            shutil.copyfile(path / name, draft.path(name))

    recipe = {"import": {name: file_digest(path / name) for name in (WEIGHTS, SETTINGS)}}
    return base.store.make("adapter", build, inputs={"base": base.digest}, recipe=recipe)


def read_adapter(
    artifact: Artifact,
    name: str,
    family: str,
    shapes: Mapping[str, tuple[int, ...]],
    *,
    scaled: bool = True,
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """A stored adapter's A [rank, in] and B [out, rank], fp32, for the matrices of a model of this
    family, of these shapes, [out, in] by path; B is multiplied by the scale unless told otherwise.

    Raises:
        UsageError: it was made for another model, or uses a kind of adapter that we do not have.
        CorruptArtifact: its files are damaged, or hold what is no finite number.
    """
    scale_of = _scales(artifact, name) if scaled else lambda _: 1.0
    waiting = read_safetensors(artifact.path(WEIGHTS))
    pairs: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    for path in shapes:
        theirs = translate(path, HF[family])
        keys = [f"{PREFIX}{theirs}.lora_{part}.weight" for part in "AB"]
        if path in pairs or not waiting.keys() >= set(keys):
            continue
        a, b = (waiting.pop(key).values() for key in keys)
        # Where several matrices of ours are one of theirs, they share A, and each has rows of B.
        among = partners(path, HF[family])
        ends = np.cumsum([shapes[part][0] for part in among])
        size = (ends[-1], shapes[path][1])
        if a.ndim != 2 or b.ndim != 2 or (len(b), a.shape[1]) != size or len(a) != b.shape[1]:
            raise UsageError(f"Adapter {name} was made for a model of another size.")
        if not (np.isfinite(a).all() and np.isfinite(b).all()):
            raise CorruptArtifact(f"Adapter {name} has a weight that is no finite number: {path}.")
        rows = np.split(b * np.float32(scale_of(theirs)), ends[:-1])
        pairs |= {part: (a, own) for part, own in zip(among, rows, strict=True)}
    if waiting:
        raise CorruptArtifact(
            f"Adapter {name} has weights for layers that this model lacks, such as "
            f"{min(waiting)}: use it with the model that it was trained on."
        )
    return pairs


def _scales(artifact: Artifact, name: str) -> Callable[[str], float]:
    """By what the product of A and B is multiplied, of a matrix by its name."""
    try:
        settings = artifact.read_json(SETTINGS)
        if settings.get("peft_type") != "LORA" or not {"use_dora", "use_rslora"}.isdisjoint(
            option for option, value in settings.items() if value
        ):
            raise UsageError(f"{name} is not a plain LoRA adapter, the only kind supported yet.")
        usual = settings["lora_alpha"], settings["r"]
        patterns = settings.get("alpha_pattern") or {}, settings.get("rank_pattern") or {}

        def scale(module: str) -> float:
            alpha, rank = map(_matching, patterns, usual, (module, module))
            return alpha / rank

        scale("")
        return scale
    except (ValueError, AttributeError, LookupError, TypeError, ZeroDivisionError) as error:
        raise CorruptArtifact(
            f"{SETTINGS} of adapter {name} is damaged, or has no good r and lora_alpha ({error}): "
            "save the adapter again."
        ) from error


def _matching(patterns: Mapping[str, float], usual: float, module: str) -> float:
    """As `peft` matches the end of a module's name."""
    found = (value for p, value in patterns.items() if re.fullmatch(rf"(.*\.)?{p}", module))
    return next(found, usual)
