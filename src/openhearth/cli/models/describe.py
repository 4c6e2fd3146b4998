"""`hearth models describe`: the layers of a model or of a recipe, and what they cost."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from openhearth.cli.frame import count, emit, size, table

if TYPE_CHECKING:
    from openhearth.models import ModelConfig
    from openhearth.models.size import Layers, ModelSize, Size

HEAD = ["blocks", "mixer", "channel", "parameters", "FLOPs a token", "kept a token", "and a text"]


@click.command()
@click.argument("model")
@click.option("--context", type=click.IntRange(1), help="Tokens before; else as many as it takes.")
def describe(model: str, context: int | None) -> None:
    """Show the layers of MODEL: a name, a GGUF file, a directory, or a recipe (YAML).

    FLOPs are those of one token at the end of the context, forward. Keys and values are counted
    with two bytes a number, states of one size with four.
    """
    from openhearth.models import base_of, config_of, find, measure, read_recipe
    from openhearth.store import Store

    if model.endswith((".yaml", ".yml")):
        config = read_recipe(Path(model))
    else:
        config = config_of(base_of(find(Store(), model)))
    made = measure(config, context)
    emit(_value(config, made), lambda: _text(config, made))


def _text(config: ModelConfig, made: ModelSize) -> str:
    rows = [[_numbers(layers), *_kinds(layers), *_cells(layers.size)] for layers in made.layers]
    rows += [["", "embedding, head, last norm", "", *_cells(made.outside)]]
    rows += [["all", "", "", *_cells(made.total)]]
    of = f"width {config.width}, vocabulary {config.vocab_size}, {len(config.blocks)} blocks"
    kept = f"A text of {made.context} tokens keeps {size(made.state_bytes)}."
    return f"{of}\n\n{table(HEAD, rows)}\n\n{kept}"


def _numbers(layers: Layers) -> str:
    return str(layers.first) if layers.first == layers.last else f"{layers.first}-{layers.last}"


def _kinds(layers: Layers) -> list[str]:
    channel = layers.block.channel
    return [_named(layers.block.mixer), "-" if channel is None else _named(channel)]


def _named(part: Any) -> str:
    """Its name, and what tells it from others of that name."""
    telling = ("window", "taps", "modes", "experts", "active")
    settings = ((name, getattr(part, name, None)) for name in telling)
    return ", ".join([part.name, *(f"{name} {value}" for name, value in settings if value)])


def _cells(made: Size) -> list[str]:
    kept = [size(made.bytes_per_token), size(made.bytes_per_sequence)]
    return [count(made.parameters), count(made.flops), *kept]


def _value(config: ModelConfig, made: ModelSize) -> dict[str, Any]:
    return {
        "config": config.model_dump(mode="json"),
        "context": made.context,
        "layers": [
            {"first": layers.first, "last": layers.last, **asdict(layers.size)}
            for layers in made.layers
        ],
        "outside": asdict(made.outside),
        "total": asdict(made.total),
        "state_bytes": made.state_bytes,
    }
