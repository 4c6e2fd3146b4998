"""How long work tells where it is: a room calls `progress(stage, done, total, note)` as it goes.

`total` is None when it is not known; `note` is free text such as a loss. The rooms never print.
"""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str, float, float | None, str], None]


def silent(stage: str, done: float, total: float | None, note: str = "") -> None:
    """Progress that nobody watches."""


class Note(str):
    """A note for people that has its numbers, for programs, too."""

    numbers: dict[str, float]

    def __new__(cls, text: str, **numbers: float) -> Note:
        note = super().__new__(cls, text)
        note.numbers = numbers
        return note
