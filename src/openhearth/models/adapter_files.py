"""Adapters as files, in the layout of the `peft` library. Reading them needs no torch."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from openhearth.errors import CorruptArtifact, NotFound, UsageError
from openhearth.models.names import Table, partners, translate
from openhearth.models.safetensors_reader import read_safetensors
from openhearth.store.artifact import file_digest

if TYPE_CHECKING:
    from openhearth.store import Artifact, Draft

WEIGHTS, SETTINGS = "adapter_model.safetensors", "adapter_config.json"
PREFIX = "base_model.model."
LEAVES, MAGNITUDE = ("lora_A.weight", "lora_B.weight"), "lora_magnitude_vector"


class Pair(NamedTuple):
    """A [rank, in] and B [out, rank] for a matrix; of DoRA also the lengths of the sum's rows
    [out].
    """

    a: np.ndarray
    b: np.ndarray
    magnitude: np.ndarray | None = None


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
    names: Table,
    shapes: Mapping[str, tuple[int, ...]],
    *,
    scaled: bool = True,
) -> dict[str, Pair]:
    """A stored adapter's pairs, fp32, for matrices that files call by these names, of these shapes,
    [out, in] by path; B is multiplied by the scale unless told otherwise.

    Raises:
        UsageError: it was made for another model, or uses a kind of adapter that we do not have.
        CorruptArtifact: its files are damaged, or hold what is no finite number.
    """
    leaves, scale_of = _settings(artifact, name)
    waiting = read_safetensors(artifact.path(WEIGHTS))
    pairs: dict[str, Pair] = {}
    for path in shapes:
        theirs = translate(path, names)
        keys = [f"{PREFIX}{theirs}.{leaf}" for leaf in leaves]
        if path in pairs or not waiting.keys() >= set(keys):
            continue
        a, b, *magnitude = (waiting.pop(key).values() for key in keys)
        # Where several matrices of ours are one of theirs, they share A, and each has rows of B.
        among = partners(path, names)
        ends = np.cumsum([shapes[part][0] for part in among])
        size = (ends[-1], shapes[path][1])
        fits = a.ndim == b.ndim == 2 and (len(b), a.shape[1]) == size and len(a) == b.shape[1]
        if not fits or any(lengths.shape != size[:1] for lengths in magnitude):
            raise UsageError(f"Adapter {name} was made for a model of another size.")
        if not all(np.isfinite(values).all() for values in (a, b, *magnitude)):
            raise CorruptArtifact(f"Adapter {name} has a weight that is no finite number: {path}.")
        scale = np.float32(scale_of(theirs) if scaled else 1.0)
        rows = zip(*(np.split(each, ends[:-1]) for each in (b * scale, *magnitude)), strict=True)
        pairs |= {part: Pair(a, *own) for part, own in zip(among, rows, strict=True)}
    if waiting:
        raise CorruptArtifact(
            f"Adapter {name} has weights for layers that this model lacks, or not all of a "
            f"layer's, such as {min(waiting)}: use it with the model that it was trained on."
        )
    return pairs


def _settings(artifact: Artifact, name: str) -> tuple[tuple[str, ...], Callable[[str], float]]:
    """What there is for a matrix; and by its name, by what its product of A and B is multiplied."""
    try:
        settings = artifact.read_json(SETTINGS)
        if settings.get("peft_type") != "LORA" or settings.get("use_rslora"):
            raise UsageError(
                f"{name} is no plain LoRA or DoRA adapter, the only kinds there are yet."
            )
        usual = settings["lora_alpha"], settings["r"]
        patterns = settings.get("alpha_pattern") or {}, settings.get("rank_pattern") or {}

        def scale(module: str) -> float:
            alpha, rank = map(_matching, patterns, usual, (module, module))
            return alpha / rank

        scale("")
        return (*LEAVES, MAGNITUDE) if settings.get("use_dora") else LEAVES, scale
    except (ValueError, AttributeError, LookupError, TypeError, ZeroDivisionError) as error:
        raise CorruptArtifact(
            f"{SETTINGS} of adapter {name} is damaged, or has no good r and lora_alpha ({error}): "
            "save the adapter again."
        ) from error


def _matching(patterns: Mapping[str, float], usual: float, module: str) -> float:
    """As `peft` matches the end of a module's name."""
    found = (value for p, value in patterns.items() if re.fullmatch(rf"(.*\.)?{p}", module))
    return next(found, usual)
