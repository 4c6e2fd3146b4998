"""The text on which models are compared."""

from __future__ import annotations

from pathlib import Path

from openhearth.data.tokenizer import Tokenizer
from openhearth.errors import UsageError

PROSE = Path(__file__).with_name("prose.txt")
"""Prose and code: the project's README and two of its pages as they once were."""
WINDOW, WINDOWS = 512, 4  # tokens of a piece of text, and pieces at most


def windows(text: str, tokenizer: Tokenizer) -> list[list[int]]:
    """The beginning of a text as tokens, in pieces that each begin as the model wants it.

    Raises:
        UsageError: there is no token to predict.
    """
    tokens = tokenizer.encode(text, add_bos=False)[: WINDOW * WINDOWS]
    if len(tokens) < 2:
        raise UsageError("The text has fewer than two tokens, so there is nothing to predict.")
    first = [] if tokenizer.bos is None else [tokenizer.bos]
    pieces = [tokens[at : at + WINDOW] for at in range(0, len(tokens), WINDOW)]
    return [first + piece for piece in pieces if len(piece) > 1]
