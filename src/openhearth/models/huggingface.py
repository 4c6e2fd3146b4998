"""Models as Hugging Face directories hold them: `config.json` and `*.safetensors`.

Only safetensors: the older `.bin` files are pickles, which can run code when they are opened.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from openhearth.errors import CorruptArtifact, UsageError
from openhearth.models.channel_config import MoE
from openhearth.models.config import ModelConfig, outputs
from openhearth.models.families import read_config
from openhearth.models.names import partners, translate
from openhearth.models.safetensors_reader import BF16, Tensor, read_safetensors
from openhearth.models.weights import PLAIN, Packed, Weights

if TYPE_CHECKING:
    import torch

    from openhearth.store import Artifact

# Gemma and Qwen's hybrids multiply by one more than what is in their files, but in gated norms.
ADDED_TO_NORMS = dict.fromkeys(("gemma2", "gemma3", "qwen3_next", "qwen3_5", "qwen3_5_seeing"), 1.0)


def added_to(name: str, family: str) -> float:
    """What the weight that we call `name` is more than what is in the files of a family."""
    is_norm = name.endswith("norm.weight") and not name.endswith("gated_norm.weight")
    return ADDED_TO_NORMS.get(family, 0.0) if is_norm else 0.0


class SafetensorsWeights(Weights):
    """The `*.safetensors` files of a directory or an artifact, with the names of its family."""

    def __init__(self, paths: list[Path], config: ModelConfig) -> None:
        self._config, self._names = config, config.names
        self._tensors: dict[str, Tensor] = {}
        for path in paths:
            self._tensors.update(read_safetensors(path))

    @classmethod
    def of(cls, artifact: Artifact, config: ModelConfig) -> SafetensorsWeights:
        """The weights of a model artifact."""
        names = [n for n in artifact.manifest.files if n.endswith(".safetensors")]
        return cls([artifact.path(name) for name in names], config)

    def read(self, name: str) -> torch.Tensor:
        import torch

        tensor = self._tensor(name)
        if added_to(name, self._config.family):
            return torch.from_numpy(self.values(name))
        values = torch.from_numpy(tensor.data)
        return values.view(torch.bfloat16) if tensor.dtype == BF16 else values

    def values(self, name: str) -> np.ndarray:
        values, added = self._tensor(name).values(), added_to(name, self._config.family)
        return values + np.float32(added) if added else values

    def packed(self, name: str) -> Packed:
        tensor = self._tensor(name)
        if tensor.dtype not in PLAIN:
            return super().packed(name)
        rows = np.ascontiguousarray(tensor.data).view(np.uint8)
        return Packed(PLAIN[tensor.dtype], rows, np.arange(len(rows)))

    def _tensor(self, name: str) -> Tensor:
        """What we call `name`: a tensor of theirs, some of its rows, or a stack of several."""
        theirs = translate(name, self._names)
        if "{e}" in theirs:
            names = [theirs.replace("{e}", str(e)) for e in self._experts(name)]
            return self._several(names, np.stack)
        if "{qkv}" in theirs:
            return self._several([theirs.replace("{qkv}", p) for p in "qkv"], np.concatenate)
        tensor = self._theirs(theirs)
        among = partners(name, self._names)
        if len(among) == 1:
            return tensor
        at, ends = among.index(name), np.cumsum([outputs(self._config, n) for n in among])
        if tensor.data.shape[:1] != (ends[-1],):
            raise CorruptArtifact(
                f"{theirs} is {tensor.data.shape}, but the model's description wants {ends[-1]} "
                "rows: the two do not belong together, so import them again."
            )
        return Tensor(tensor.dtype, tensor.data[ends[at - 1] if at else 0 : ends[at]])

    def _several(
        self, names: list[str], together: Callable[[list[np.ndarray]], np.ndarray]
    ) -> Tensor:
        """One tensor of several of theirs."""
        parts = [self._theirs(name) for name in names]
        try:
            (kind,) = {part.dtype for part in parts}
            return Tensor(kind, together([part.data for part in parts]))
        except ValueError as error:
            raise CorruptArtifact(
                f"{names[0]} and those like it differ ({error}): download the model again."
            ) from error

    def _experts(self, name: str) -> range:
        channel = self._config.blocks[int(name.split(".")[1])].channel
        assert isinstance(channel, MoE)
        return range(channel.experts)

    def _theirs(self, name: str) -> Tensor:
        if name not in self._tensors:
            raise CorruptArtifact(f"The weights lack {name}: download the model again.")
        return self._tensors[name]


def copy_files(directory: Path, place: Callable[[str], Path]) -> tuple[str, ...]:
    """Copy a Hugging Face directory's weights and tokenizer, and write our `config.json`.

    `place(name)` says where the file `name` goes. Returns the licences that the model card names.

    Raises:
        UsageError: something needed is not there.
        CorruptArtifact: a weights file is damaged.
    """
    shards = sorted(directory.glob("*.safetensors"))
    if not shards:
        hint = " (its .bin files are pickles)" if list(directory.glob("*.bin")) else ""
        raise UsageError(f"{directory} has no .safetensors files{hint}: convert the model first.")
    config = read_config(_json(directory / "config.json"))
    place("config.json").write_text(config.model_dump_json())
    tokenizer = directory / "tokenizer.json"
    if not tokenizer.is_file():
        raise UsageError(f"{directory} has no tokenizer.json: save the fast tokenizer there.")
    place("tokenizer.json").write_bytes(tokenizer.read_bytes())
    place("tokenizer_config.json").write_text(json.dumps(_tokenizer_settings(directory)))
    for shard in shards:
        read_safetensors(shard)
        with shard.open("rb") as source, place(shard.name).open("wb") as target:
            while block := source.read(1 << 24):
                target.write(block)
    return _licenses(directory / "README.md")


def _tokenizer_settings(directory: Path) -> dict[str, Any]:
    """`tokenizer_config.json`, with what newer and older versions keep in other files."""
    raw = _json(directory / "tokenizer_config.json")
    keep = ("bos_token", "eos_token", "add_bos_token", "chat_template")
    settings = {name: raw[name] for name in keep if raw.get(name) is not None}
    template = directory / "chat_template.jinja"
    if template.is_file():
        settings["chat_template"] = template.read_text()
    elif isinstance(settings.get("chat_template"), list):
        named = {t["name"]: t["template"] for t in settings["chat_template"]}
        settings["chat_template"] = named.get("default", next(iter(named.values())))
    generation = directory / "generation_config.json"
    if generation.is_file():
        ends = _json(generation).get("eos_token_id") or []
        settings["eos_token_ids"] = ends if isinstance(ends, list) else [ends]
    return settings


def _licenses(card: Path) -> tuple[str, ...]:
    """The `license:` line in the front matter of a model card."""
    if not card.is_file():
        return ()
    lines = card.read_text(errors="replace").splitlines()[:200]
    found = [line.partition(":")[2].strip() for line in lines if line.startswith("license:")]
    return tuple(name for name in found[:1] if name)


def _json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise UsageError(f"{path.parent} has no {path.name}: is it a model's directory?") from error
    except ValueError as error:
        raise CorruptArtifact(f"{path} is not JSON ({error}): download the model again.") from error
    if not isinstance(value, dict):
        raise CorruptArtifact(f"{path} does not hold an object: download the model again.")
    return value
