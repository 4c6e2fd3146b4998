"""Adapters as files, in the layout of the `peft` library. Reading them needs no torch."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from openhearth.errors import CorruptArtifact, NotFound, UsageError
from openhearth.models.names import HF, translate
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
    scale = _scale(artifact, name) if scaled else 1.0
    waiting = read_safetensors(artifact.path(WEIGHTS))
    pairs = {}
    for path, shape in shapes.items():
        theirs = PREFIX + translate(path, HF[family])
        keys = (f"{theirs}.lora_A.weight", f"{theirs}.lora_B.weight")
        if not waiting.keys() >= set(keys):
            continue
        a, b = (waiting.pop(key).values() for key in keys)
        if a.ndim != 2 or b.ndim != 2 or (len(b), a.shape[1]) != shape or len(a) != b.shape[1]:
            raise UsageError(f"Adapter {name} was made for a model of another size.")
        if not (np.isfinite(a).all() and np.isfinite(b).all()):
            raise CorruptArtifact(f"Adapter {name} has a weight that is no finite number: {path}.")
        pairs[path] = a, b * np.float32(scale)
    if waiting:
        raise CorruptArtifact(
            f"Adapter {name} has weights for layers that this model lacks, such as "
            f"{min(waiting)}: use it with the model that it was trained on."
        )
    return pairs


def _scale(artifact: Artifact, name: str) -> float:
    """By what the product of A and B is multiplied."""
    try:
        settings = artifact.read_json(SETTINGS)
        if settings.get("peft_type") != "LORA" or not {"use_dora", "use_rslora"}.isdisjoint(
            option for option, value in settings.items() if value
        ):
            raise UsageError(f"{name} is not a plain LoRA adapter, the only kind supported yet.")
        return settings["lora_alpha"] / settings["r"]
    except (ValueError, AttributeError, LookupError, TypeError, ZeroDivisionError) as error:
        raise CorruptArtifact(
            f"{SETTINGS} of adapter {name} is damaged, or has no good r and lora_alpha ({error}): "
            "save the adapter again."
        ) from error
