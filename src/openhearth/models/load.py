"""Models into the store, and out of it into memory.

An artifact of kind `model` holds `config.json` (our description), `tokenizer.json`,
`tokenizer_config.json`, and the weights as they came: `*.safetensors`, or `model.gguf`.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import torch

from openhearth.errors import CorruptArtifact, NotFound
from openhearth.models import huggingface
from openhearth.models.build import build
from openhearth.models.config import ModelConfig
from openhearth.models.gguf import GgufFile
from openhearth.models.gguf_tokenizer import convert
from openhearth.models.model import Model
from openhearth.models.precision import choose
from openhearth.models.stored import open_model
from openhearth.store import Artifact, Draft, Store
from openhearth.store.artifact import file_digest


def import_model(store: Store, path: Path) -> Artifact:
    """Make an artifact of a GGUF file or of a Hugging Face directory.

    Raises:
        NotFound: there is nothing at `path`.
        UsageError: it is no model, or of a family that is not supported.
        CorruptArtifact: its files are damaged.
    """
    if path.is_dir():
        files = sorted(p for p in path.iterdir() if p.is_file() and not p.name.startswith("."))
        recipe = {"import": {p.name: file_digest(p) for p in files}}
        return store.make("model", lambda draft: _take_directory(draft, path), recipe=recipe)
    if path.is_file():
        recipe = {"import": {"model.gguf": file_digest(path)}}
        return store.make("model", lambda draft: _take_gguf(draft, path), recipe=recipe)
    raise NotFound(
        f"There is no file or directory {path}: give a GGUF file or a model's directory."
    )


def _take_directory(draft: Draft, path: Path) -> None:
    draft.license += huggingface.copy_files(path, draft.path)
    _check(draft)


def _take_gguf(draft: Draft, path: Path) -> None:
    file = GgufFile(path)
    draft.path("config.json").write_text(file.config.model_dump_json())
    backend, settings = convert(file)
    backend.save(str(draft.path("tokenizer.json")), pretty=False)
    draft.path("tokenizer_config.json").write_text(json.dumps(settings))
    shutil.copyfile(path, draft.path("model.gguf"))
    draft.license += filter(None, [file.field("general.license")])
    draft.creator += filter(None, [file.field("general.organization")])
    _check(draft)


def _check(draft: Draft) -> None:
    """Read every weight once, so that a damaged file is refused now and not when it is served."""
    config = ModelConfig.from_json(draft.path("config.json").read_bytes())
    gguf = draft.path("model.gguf")
    shards = sorted(gguf.parent.glob("*.safetensors"))
    weights = GgufFile(gguf) if gguf.is_file() else huggingface.SafetensorsWeights(shards, config)
    model = build(config, weights, torch.bfloat16)
    for name, parameter in model.named_parameters():
        if not parameter.sum(dtype=torch.float32).isfinite():  # one NaN makes the sum NaN
            raise CorruptArtifact(
                f"The weight {name} holds values that are no numbers: download the model again."
            )
    draft.metrics["parameters"] = sum(p.numel() for p in model.parameters())


def load_model(artifact: Artifact, dtype: str = "auto", device: str = "cpu") -> Model:
    """The model in the memory of a device, in `float32`, `bfloat16`, or (`auto`) what is faster
    there.

    Raises:
        UsageError: the artifact is no model, or there is no such dtype.
        CorruptArtifact: its weights are damaged.
    """
    config, weights = open_model(artifact)
    return build(config, weights, choose(dtype, device), device)
