"""A layer mix at a size: a short pattern of blocks, repeated to a depth, in a width.

This is the one place that makes models' descriptions for studies and probes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import Field

from openhearth.errors import UsageError
from openhearth.models import ModelConfig
from openhearth.models.block_list import read_blocks
from openhearth.models.part import Part
from openhearth.models.recipe import design

Count = Annotated[int, Field(gt=0)]
Pattern = str | list[Any]
"""Blocks as the recipe of a model has them, such as `[hyena, attention]`."""


class Size(Part):
    """How large a model is. `learning_rate`, if given, is that of its runs."""

    width: Count
    depth: Count
    heads: Count | None = None
    learning_rate: Annotated[float, Field(gt=0, le=1)] | None = None


def model_of(
    name: str,
    pattern: Pattern,
    size: Size,
    *,
    vocabulary: int,
    context: int,
    settings: dict[str, Any] | None = None,
) -> ModelConfig:
    """The model of a mix at a size; `settings` are further ones of a model's recipe.

    Raises:
        UsageError: the depth is no multiple of the pattern, or the blocks do not fit the size.
    """
    blocks: Sequence[dict[str, Any]] = read_blocks(pattern)
    if size.depth % len(blocks):
        raise UsageError(
            f"A depth of {size.depth} is no multiple of the {len(blocks)} blocks of `{name}`: "
            "a mix must be the same at all sizes, so change the one or the other."
        )
    said = {
        "width": size.width,
        "vocab_size": vocabulary,
        "context_length": context,
        "blocks": list(blocks) * (size.depth // len(blocks)),
    }
    if size.heads is not None:
        said["heads"] = size.heads
    return design((settings or {}) | said)
