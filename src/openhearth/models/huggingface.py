"""Models as Hugging Face directories hold them: `config.json` and `*.safetensors`.

Only safetensors: the older `.bin` files are pickles, which can run code when they are opened.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from openhearth.errors import CorruptArtifact, MissingExtra, UsageError
from openhearth.models.config import (
    LARGEST_HEAD,
    MOST_BLOCKS,
    Attention,
    Block,
    ModelConfig,
    SwiGLU,
    bounded,
)
from openhearth.models.names import HF_LLAMA, translate
from openhearth.models.weights import Weights

if TYPE_CHECKING:
    from openhearth.store import Artifact

FAMILIES = ("LlamaForCausalLM", "MistralForCausalLM", "Qwen2ForCausalLM")


def read_config(raw: dict[str, Any]) -> ModelConfig:
    """Our description of the model that a Hugging Face `config.json` describes.

    Raises:
        UsageError: the family, or a setting of it, is not supported.
    """
    family = (raw.get("architectures") or ["(none named)"])[0]
    if family not in FAMILIES:
        raise UsageError(
            f"{family} models are not supported yet: use one of {', '.join(FAMILIES)}."
        )
    if raw.get("hidden_act", "silu") != "silu" or raw.get("mlp_bias"):
        raise UsageError("Only SwiGLU layers with silu and without bias are supported yet.")
    if raw.get("attention_bias") and family != "Qwen2ForCausalLM":
        raise UsageError("Attention with a bias on its output is not supported yet.")
    try:
        return _config(raw, family)
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(f"The model's config.json is incomplete or wrong: {error}.") from error


def _config(raw: dict[str, Any], family: str) -> ModelConfig:
    heads = raw["num_attention_heads"]
    head_dim = bounded(raw.get("head_dim") or raw["hidden_size"] // heads, LARGEST_HEAD)
    rope = raw.get("rope_parameters") or raw.get("rope_scaling") or {}
    mixer = Attention(
        heads=heads,
        kv_heads=raw.get("num_key_value_heads") or heads,
        head_dim=head_dim,
        rope_theta=rope.get("rope_theta") or raw.get("rope_theta", 10000.0),
        rope_factors=_rope_factors(rope, head_dim, raw),
        bias=family == "Qwen2ForCausalLM",
    )
    block = Block(mixer=mixer, channel=SwiGLU(hidden=raw["intermediate_size"]))
    window = raw.get("sliding_window") if raw.get("use_sliding_window", True) else None
    return ModelConfig(
        vocab_size=raw["vocab_size"],
        width=raw["hidden_size"],
        # Within its window, attention with a sliding window is plain attention.
        context_length=min(raw["max_position_embeddings"], window or math.inf),
        norm_eps=raw["rms_norm_eps"],
        tied_head=raw.get("tie_word_embeddings", False),
        blocks=(block,) * bounded(raw["num_hidden_layers"], MOST_BLOCKS),
    )


def _rope_factors(
    rope: dict[str, Any], head_dim: int, raw: dict[str, Any]
) -> tuple[float, ...] | None:
    """What each rotary frequency is divided by, from the three static kinds of scaling."""
    kind = rope.get("rope_type", rope.get("type", "default"))
    if kind == "default":
        return None
    if kind == "linear":
        return (float(rope["factor"]),) * (head_dim // 2)
    if kind == "llama3":
        theta = rope.get("rope_theta") or raw["rope_theta"]
        return tuple(
            _llama3_factor(rope, theta ** (2 * i / head_dim)) for i in range(head_dim // 2)
        )
    raise UsageError(f"RoPE scaling of type {kind!r} is not supported yet.")


def _llama3_factor(rope: dict[str, Any], inverse_frequency: float) -> float:
    """Llama 3.1: long waves are stretched by `factor`, short ones not, those between smoothly."""
    factor, low, high = rope["factor"], rope["low_freq_factor"], rope["high_freq_factor"]
    turns = rope["original_max_position_embeddings"] / (2 * math.pi * inverse_frequency)
    if turns < low:
        return factor
    if turns > high:
        return 1.0
    smooth = (turns - low) / (high - low)
    return 1 / ((1 - smooth) / factor + smooth)


class SafetensorsWeights(Weights):
    """The `*.safetensors` files of a directory or an artifact, with Hugging Face's names."""

    def __init__(self, paths: list[Path]) -> None:
        self._shard_of: dict[str, Any] = {}
        for path in paths:
            shard = open_safetensors(path)
            self._shard_of.update(dict.fromkeys(shard.keys(), shard))

    @classmethod
    def of(cls, artifact: Artifact) -> SafetensorsWeights:
        """The weights of a model artifact."""
        names = [n for n in artifact.manifest.files if n.endswith(".safetensors")]
        return cls([artifact.path(name) for name in names])

    def read(self, name: str) -> torch.Tensor:
        theirs = translate(name, HF_LLAMA)
        if theirs not in self._shard_of:
            raise CorruptArtifact(f"The weights lack {theirs}: download the model again.")
        return self._shard_of[theirs].get_tensor(theirs)


def open_safetensors(path: Path) -> Any:
    """A safetensors file, memory-mapped.

    Raises:
        CorruptArtifact: it is damaged or cut short.
    """
    try:
        from safetensors import SafetensorError, safe_open
    except ModuleNotFoundError as error:
        raise MissingExtra("safetensors", "torch") from error
    try:
        return safe_open(path, framework="pt")
    except (SafetensorError, OSError) as error:
        raise CorruptArtifact(
            f"The weights in {path.name} are damaged or cut short ({error}): download them again."
        ) from error


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
        open_safetensors(shard)
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
