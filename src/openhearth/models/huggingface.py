"""Models as Hugging Face directories hold them: `config.json` and `*.safetensors`.

Only safetensors: the older `.bin` files are pickles, which can run code when they are opened.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from openhearth.errors import CorruptArtifact, MissingExtra, UsageError
from openhearth.models.families import read_config
from openhearth.models.names import HF, translate
from openhearth.models.weights import Weights

if TYPE_CHECKING:
    from openhearth.store import Artifact

# Gemma multiplies by one more than what is in its files.
ADDED_TO_NORMS = {"gemma3": 1.0}


class SafetensorsWeights(Weights):
    """The `*.safetensors` files of a directory or an artifact, with a family's names."""

    def __init__(self, paths: list[Path], family: str) -> None:
        self._names, self._added = HF[family], ADDED_TO_NORMS.get(family, 0.0)
        self._shard_of: dict[str, Any] = {}
        for path in paths:
            shard = open_safetensors(path)
            self._shard_of.update(dict.fromkeys(shard.keys(), shard))

    @classmethod
    def of(cls, artifact: Artifact, family: str) -> SafetensorsWeights:
        """The weights of a model artifact."""
        names = [n for n in artifact.manifest.files if n.endswith(".safetensors")]
        return cls([artifact.path(name) for name in names], family)

    def read(self, name: str) -> torch.Tensor:
        theirs = translate(name, self._names)
        if theirs not in self._shard_of:
            raise CorruptArtifact(f"The weights lack {theirs}: download the model again.")
        tensor = self._shard_of[theirs].get_tensor(theirs)
        return tensor.float() + self._added if name.endswith("norm.weight") else tensor


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
