"""The pieces of a model's description, and bounds on what a foreign file may claim."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

MOST_BLOCKS, LARGEST_HEAD = 1024, 4096  # beyond every model there is


def bounded(value: int, most: int) -> int:
    """`value`, which a foreign file claims and which memory is about to be spent on.

    Raises:
        ValueError: it is not between 1 and `most`.
    """
    if not 1 <= value <= most:
        raise ValueError(f"{value} is not between 1 and {most}")
    return value


class Part(BaseModel):
    """A piece of a model's description: frozen, and unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)
