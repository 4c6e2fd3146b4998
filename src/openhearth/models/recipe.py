"""A model as a recipe says it: sizes common to all blocks, and a short list of blocks.

    width: 256
    vocab_size: 32000
    heads: 4
    blocks: [hyena, hyena, {name: attention, window: 512}] * 4

Beside `blocks`, a recipe has the settings of `ModelConfig`, the sizes in `SIZES`, and `channel`,
the channel mixer of the blocks that name none: a name, an object, or null. What a block leaves out
is usual for a model of its sizes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from openhearth.data.parse import read_file
from openhearth.errors import UsageError
from openhearth.models.block_list import read_blocks, read_yaml
from openhearth.models.channel_config import Channel
from openhearth.models.config import Block, ModelConfig
from openhearth.models.mixer_config import Mixer

SIZES = ("heads", "kv_heads", "head_dim", "hidden")
HEAD, CONTEXT = 64, 2048  # where a recipe names no other
MIXERS, CHANNELS = TypeAdapter[Any](Mixer), TypeAdapter[Any](Channel)


@dataclass(frozen=True)
class Sizes:
    """What blocks have in common."""

    width: int
    context: int
    heads: int
    kv_heads: int
    head_dim: int
    hidden: int | None


USUAL: dict[str, Callable[[Sizes], dict[str, Any]]] = {
    "attention": lambda s: {"heads": s.heads, "kv_heads": s.kv_heads, "head_dim": s.head_dim},
    "gated_delta": lambda s: {
        "heads": s.heads,
        "key_heads": s.kv_heads,
        "key_dim": s.head_dim,
        "value_dim": s.head_dim,
    },
    "hyena": lambda s: {"taps": s.context},
    "mamba": lambda s: {"inner": 2 * s.width, "step_rank": -(-s.width // 16)},
    "mamba2": lambda s: {"heads": 2 * s.heads, "head_dim": s.width // s.heads},
    "monarch": lambda s: {"taps": s.context},
    "rwkv7": lambda s: {"heads": s.heads, "head_dim": s.width // s.heads},
    # With three matrices of 8/3 of the width, a layer is as large as with two of 4 times that.
    "swiglu": lambda s: {"hidden": s.hidden or -(-8 * s.width // (3 * 32)) * 32},
    "mlp": lambda s: {"hidden": s.hidden or 4 * s.width},
    "monarch_mlp": lambda s: {"hidden": s.hidden or 4 * s.width},
    "moe": lambda s: {"hidden": s.hidden} if s.hidden else {},
}


def read_recipe(path: Path) -> ModelConfig:
    """The model that a YAML file describes.

    Raises:
        NotFound: there is no such file.
        UsageError: it describes none; the text says why.
    """
    raw = read_file(path, "recipe", read_yaml)
    if not isinstance(raw, dict):
        raise UsageError(f"{path} is no recipe of a model: it needs `width`, `blocks` and so on.")
    return design(raw)


def design(recipe: dict[str, Any]) -> ModelConfig:
    """The model that a recipe describes.

    Raises:
        UsageError: it describes none, or its parts do not fit together; the text says why.
    """
    settings = ModelConfig.model_fields.keys() - {"blocks", "family"}
    known = {*settings, *SIZES, "blocks", "channel"}
    if unknown := recipe.keys() - known:
        names = ", ".join(sorted(known))
        raise UsageError(f"A model has no {min(map(str, unknown))!r}: its settings are {names}.")
    given: dict[str, Any] = {"context_length": CONTEXT, "family": "hearth"}
    given |= {name: recipe[name] for name in settings & recipe.keys()}
    sizes, usual = _sizes(recipe), recipe.get("channel", "swiglu")
    blocks = tuple(
        _block(number, dict(block), usual, sizes)
        for number, block in enumerate(read_blocks(recipe.get("blocks", [])))
    )
    if len({block.mixer.is_causal for block in blocks}) > 1:
        ahead = next(i for i, block in enumerate(blocks) if not block.mixer.is_causal)
        raise UsageError(
            f"Block {ahead} ({blocks[ahead].mixer.name}) sees what comes after a token and others "
            "do not: of an encoder all blocks do, of a model that writes text none."
        )
    try:
        return ModelConfig(**given, blocks=blocks)
    except ValidationError as error:
        raise UsageError(f"The model's recipe is wrong {_reason(error)}.") from error


def _sizes(recipe: dict[str, Any]) -> Sizes:
    values = {name: recipe.get(name) for name in (*SIZES, "width", "context_length")}
    for name, value in values.items():
        if value is not None and (not isinstance(value, int) or value < 1):
            raise UsageError(f"{name} is {value!r}, but must be a whole number above zero.")
    width = values["width"]
    if width is None:
        raise UsageError("The model's recipe needs a width.")
    heads = values["heads"] or max(1, width // (values["head_dim"] or HEAD))
    if width % heads:
        raise UsageError(f"A width of {width} is not {heads} heads of equal size.")
    return Sizes(
        width,
        values["context_length"] or CONTEXT,
        heads,
        values["kv_heads"] or heads,
        values["head_dim"] or width // heads,
        values["hidden"],
    )


def _block(number: int, block: dict[str, Any], usual: Any, sizes: Sizes) -> Block:
    channel = block.pop("channel", usual)
    if isinstance(channel, str):
        channel = {"name": channel}
    where = f"Block {number}"
    return Block(
        mixer=_part(where, block, MIXERS, sizes),
        channel=None if channel is None else _part(where, channel, CHANNELS, sizes),
    )


def _part(where: str, settings: Any, kinds: TypeAdapter[Any], sizes: Sizes) -> Any:
    name = settings.get("name") if isinstance(settings, dict) else settings
    usual = USUAL.get(name, lambda _: {}) if isinstance(name, str) else lambda _: {}
    try:
        return kinds.validate_python(usual(sizes) | settings)
    except (ValidationError, TypeError) as error:
        reason = _reason(error) if isinstance(error, ValidationError) else f"({settings!r})"
        raise UsageError(f"{where} ({name}) is wrong {reason}.") from error


def _reason(error: ValidationError) -> str:
    first = error.errors()[0]
    where = ".".join(map(str, first["loc"][-1:])) or "as a whole"
    return f"at {where}: {first['msg']}" if first["loc"] else first["msg"]
