"""Texts in pieces that fit a model's context, so that each token is predicted once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from openhearth.errors import UsageError


@dataclass(frozen=True)
class Scored:
    """Tokens to be predicted, and those that the model reads before them, at least one."""

    before: tuple[int, ...]
    tokens: tuple[int, ...]

    @property
    def read(self) -> tuple[int, ...]:
        """What the model reads: the last token is only predicted."""
        return self.before + self.tokens[:-1]


def windows(first: int, tokens: Sequence[int], most: int, kept: int) -> list[Scored]:
    """A text's tokens in windows that read at most `most`; `first` stands before the text.

    The first window predicts as many as fit. Each later one predicts up to `most - kept + 1`, and
    reads as much before them as fits: at least `kept`.
    """
    stream = (first, *tokens)
    found, done = [], 1  # of the stream, those that need no prediction any more
    while done < len(stream):
        room = most if done == 1 else most - kept + 1
        end = min(done + room, len(stream))
        found.append(Scored(stream[max(0, end - 1 - most) : done], stream[done:end]))
        done = end
    return found


def fitted(before: Sequence[int], tokens: Sequence[int], most: int) -> Scored:
    """A continuation after as much of the text before it as fits: its end, at least one token.

    Raises:
        UsageError: the continuation alone does not fit.
    """
    room = most + 1 - len(tokens)
    if room < 1:
        raise UsageError(
            f"A continuation of {len(tokens)} tokens does not fit a context of {most}: evaluate a "
            "model with a longer one."
        )
    return Scored(tuple(before[-room:]), tuple(tokens))
