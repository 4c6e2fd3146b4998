"""Models out of the store as GGUF files, which llama.cpp and what is made of it load."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gguf
import numpy as np

from openhearth.errors import UsageError
from openhearth.models.adapted import open_adapted
from openhearth.models.build import shapes_of
from openhearth.models.config import ModelConfig
from openhearth.models.families.settings import GLOBAL, LOCAL
from openhearth.models.families.written import write_config
from openhearth.models.gguf import ARCHITECTURES, SETTINGS, GgufFile, interleave
from openhearth.models.gguf_tokenizer import convert
from openhearth.models.gguf_types import check_kind, choose, pack
from openhearth.models.gguf_vocabulary import vocabulary_fields
from openhearth.models.mixer_config import Attention
from openhearth.models.names import GGUF, translate
from openhearth.models.stored import base_of
from openhearth.models.weights import Weights
from openhearth.progress import Progress, silent

if TYPE_CHECKING:
    from openhearth.store import Artifact

SAMPLE = "  def f(x):\n\treturn x  # naïve 你好 1234, Don't!\n\n\n"


def export_gguf(
    artifact: Artifact, target: Path, *, kind: str = "Q8_0", progress: Progress = silent
) -> None:
    """Write a model, or an adapter merged into its base, to the new file `target`.

    Matrices are of type `kind`, one of `gguf_types.KINDS`; all else is fp32.

    Raises:
        UsageError: `target` is there already, there is no such type or it cannot hold a number,
            the artifact is neither a model nor an adapter, or what we know of GGUF has no words for
            it or its tokenizer.
        CorruptArtifact: its files are damaged.
    """
    if target.exists():
        raise UsageError(f"{target} is there already: name a new file.")
    check_kind(kind)
    config, weights = open_adapted(artifact)
    base = base_of(artifact)
    raw, written = write_config(config)
    names = {theirs: ours for ours, theirs in ARCHITECTURES.items()}
    (family,) = raw["architectures"]
    if family not in names:
        raise UsageError(f"{family} models cannot be written as GGUF yet.")
    part = target.with_name(target.name + ".part")
    writer = gguf.GGUFWriter(part, names[family], use_temp_file=True)
    try:
        for name, value in _fields(artifact, raw, names[family]).items():
            _add(writer, name, value)
        definition = json.loads(base.path("tokenizer.json").read_bytes())
        settings = base.read_json("tokenizer_config.json")
        for name, value in vocabulary_fields(definition, settings, config.vocab_size).items():
            _add(writer, name, value)
        _write_tensors(writer, config, weights, names[family], kind, progress)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        _check(GgufFile(part), written, definition)
        part.rename(target)
    finally:
        if writer.temp_file is not None:
            writer.temp_file.close()
        part.unlink(missing_ok=True)


def _fields(artifact: Artifact, raw: dict[str, Any], architecture: str) -> dict[str, Any]:
    """The metadata from which `GgufFile` reads what a `config.json` says."""
    rope = raw["rope_parameters"]
    if GLOBAL in rope:
        pattern = [*raw["layer_types"], GLOBAL].index(GLOBAL) + 1
        raw = raw | {"sliding_window_pattern": pattern}
        raw |= {"rope_local_base_freq": rope[LOCAL]["rope_theta"]}
        rope = rope[GLOBAL]
    raw = raw | {"rope_theta": rope["rope_theta"]}
    given = {SETTINGS[name]: value for name, value in raw.items() if name in SETTINGS}
    given["attention.value_length"] = given["rope.dimension_count"] = raw["head_dim"]
    if rope["rope_type"] == "linear":
        given |= {"rope.scaling.type": "linear", "rope.scaling.factor": rope["factor"]}
    fields = {f"{architecture}.{name}": v for name, v in given.items() if v is not None}
    named = {"license": artifact.manifest.license, "organization": artifact.manifest.creator}
    return fields | {f"general.{name}": value[0] for name, value in named.items() if value}


def _add(writer: gguf.GGUFWriter, name: str, value: Any) -> None:
    types = gguf.GGUFValueType
    if isinstance(value, bool):
        writer.add_key_value(name, value, types.BOOL)
    elif isinstance(value, int):
        writer.add_key_value(name, value, types.UINT32)
    elif isinstance(value, float):
        writer.add_key_value(name, value, types.FLOAT32)
    elif isinstance(value, str):
        writer.add_key_value(name, value, types.STRING)
    else:
        writer.add_array(name, value)


def _write_tensors(
    writer: gguf.GGUFWriter,
    config: ModelConfig,
    weights: Weights,
    architecture: str,
    kind: str,
    progress: Progress,
) -> None:
    shapes = shapes_of(config)
    for number, (name, shape) in enumerate(shapes.items()):
        values = interleave(weights.values(name), name, config, architecture)
        chosen = choose(name, shape, kind, config).kind
        type_ = gguf.GGMLQuantizationType[chosen]
        writer.add_tensor(translate(name, GGUF), pack(name, values, chosen), raw_dtype=type_)
        progress("pack", number + 1, len(shapes), name)
    mixers = [block.mixer for block in config.blocks if isinstance(block.mixer, Attention)]
    factors = next((mixer.rope_factors for mixer in mixers if mixer.rope_factors), ())
    if len(set(factors)) > 1:
        writer.add_tensor("rope_freqs.weight", np.array(factors, np.float32))


def _check(file: GgufFile, config: ModelConfig, definition: dict[str, Any]) -> None:
    """Read what was written.

    Raises:
        UsageError: it says something else than what it was made from.
    """
    import tokenizers

    if _rounded(file.config.model_dump()) != _rounded(config.model_dump()):
        raise UsageError(
            "This model has settings for which GGUF has no words, or of which its readers believe "
            "that they are as usual: export it as a directory."
        )
    theirs = tokenizers.Tokenizer.from_str(json.dumps(definition))
    ours, _ = convert(file)
    if ours.encode(SAMPLE).ids != theirs.encode(SAMPLE, add_special_tokens=False).ids:
        raise UsageError(
            "This model's tokenizer has parts for which GGUF has no words: export it as a "
            "directory."
        )


def _rounded(value: Any) -> Any:
    """With all numbers as they are after they were fp32."""
    if isinstance(value, dict):
        return {name: _rounded(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(part) for part in value]
    return float(np.float32(value)) if isinstance(value, float) else value
