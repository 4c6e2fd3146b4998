"""Models out of the store: as a Hugging Face directory, which `transformers` and others load."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from openhearth.errors import UsageError
from openhearth.models.adapted import open_adapted
from openhearth.models.build import shapes_of
from openhearth.models.config import ModelConfig, convolved_rows
from openhearth.models.families.written import write_config
from openhearth.models.huggingface import added_to
from openhearth.models.names import partners, translate
from openhearth.models.precision import DTYPES
from openhearth.models.stored import base_of
from openhearth.models.weights import Weights

if TYPE_CHECKING:
    from openhearth.store import Artifact

SHARD = 4 << 30  # bytes of a file of several
WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"


def export_directory(artifact: Artifact, target: Path, *, dtype: str = "auto") -> None:
    """Write a model, or an adapter merged into its base, to the new directory `target`.

    By `dtype` `auto` the numbers stay as they are in the file; those of a GGUF file become fp32.

    Raises:
        UsageError: `target` is there already, there is no such dtype, the artifact is neither a
            model nor an adapter, or no family in this layout is like it.
        CorruptArtifact: its files are damaged.
    """
    if target.exists():
        raise UsageError(f"{target} is there already: name a new directory.")
    if dtype != "auto" and dtype not in DTYPES:
        raise UsageError(f"dtype is {dtype!r}, but must be auto, {' or '.join(DTYPES)}.")
    base, (config, weights) = base_of(artifact), open_adapted(artifact)
    raw, written = write_config(config)
    part = target.with_name(target.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    kind = write_shards(part, tensors_of(written, weights, DTYPES.get(dtype)))
    _write_json(part / "config.json", raw | _copy_tokenizer(base, part) | kind)
    for license_ in (artifact.manifest.license or base.manifest.license)[:1]:
        (part / "README.md").write_text(f"---\nlicense: {license_}\n---\n")
    part.rename(target)


def tensors_of(
    config: ModelConfig, weights: Weights, dtype: torch.dtype | None
) -> Iterator[tuple[str, torch.Tensor]]:
    """All tensors of the files, each with its name there."""
    table = config.names

    def read(name: str) -> torch.Tensor:
        tensor = weights.read(name)
        if added := added_to(name, config.family):
            tensor = tensor - added
        return tensor if dtype is None else tensor.to(dtype)

    for name in shapes_of(config):
        theirs, among = translate(name, table), partners(name, table)
        if "{e}" in theirs:
            for e, expert in enumerate(read(name)):
                yield theirs.replace("{e}", str(e)), expert.clone()
        elif "{qkv}" in theirs:
            parts = read(name).split(convolved_rows(config, name))
            for letter, rows in zip("qkv", parts, strict=True):
                yield theirs.replace("{qkv}", letter), rows.clone()
        elif among[0] == name:
            yield theirs, torch.cat([read(part) for part in among])


def write_shards(directory: Path, tensors: Iterator[tuple[str, torch.Tensor]]) -> dict[str, str]:
    """Save them in one file, or in several with an index; for `config.json`, the type of most."""
    from safetensors.torch import save_file

    places: dict[str, str] = {}
    kinds: list[torch.dtype] = []
    size = 0
    for number, shard in enumerate(_shards(tensors)):
        file = f"model-{number + 1:05d}.safetensors"
        save_file(shard, directory / file, metadata={"format": "pt"})
        places |= dict.fromkeys(shard, file)
        kinds += [tensor.dtype for tensor in shard.values()]
        size += sum(tensor.nbytes for tensor in shard.values())
    if len(set(places.values())) == 1:
        (directory / "model-00001.safetensors").rename(directory / WEIGHTS)
    else:
        _write_json(directory / INDEX, {"metadata": {"total_size": size}, "weight_map": places})
    return {"dtype": str(max(kinds, key=kinds.count)).removeprefix("torch.")}


def _shards(tensors: Iterator[tuple[str, torch.Tensor]]) -> Iterator[dict[str, torch.Tensor]]:
    shard: dict[str, torch.Tensor] = {}
    for name, tensor in tensors:
        if shard and sum(t.nbytes for t in shard.values()) + tensor.nbytes > SHARD:
            yield shard
            shard = {}
        shard[name] = tensor
    yield shard


def _copy_tokenizer(model: Artifact, target: Path) -> dict[str, Any]:
    """Write its files; for `config.json`, the numbers of its special tokens."""
    definition = model.path("tokenizer.json").read_bytes()
    (target / "tokenizer.json").write_bytes(definition)
    settings = model.read_json("tokenizer_config.json")
    further = settings.pop("eos_token_ids", [])
    texts = {role: token_text(settings.get(f"{role}_token")) for role in ("bos", "eos", "pad")}
    named = {f"{role}_token": text for role, text in texts.items() if text}
    settings |= named | {"tokenizer_class": "PreTrainedTokenizerFast"}
    _write_json(target / "tokenizer_config.json", settings)
    numbers = token_numbers(json.loads(definition))
    special = {f"{role}_token_id": numbers.get(text) for role, text in texts.items()}
    ends = [number for number in [special["eos_token_id"], *further] if number is not None]
    if ends:
        _write_json(target / "generation_config.json", {"eos_token_id": sorted(set(ends))})
    return special


def token_text(token: Any) -> str:
    """A special token as `tokenizer_config.json` has it: a text, an object, or none."""
    return token["content"] if isinstance(token, dict) else token or ""


def token_numbers(definition: dict[str, Any]) -> dict[str, int]:
    """The number of each token of a `tokenizer.json`, added ones included."""
    vocabulary = definition["model"].get("vocab") or {}
    if isinstance(vocabulary, list):  # of Unigram models, with their scores
        vocabulary = {piece: number for number, (piece, _) in enumerate(vocabulary)}
    return vocabulary | {t["content"]: t["id"] for t in definition.get("added_tokens", [])}


def _write_json(path: Path, value: dict[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n")
