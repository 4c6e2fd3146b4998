"""The port to whoever decides where models are loaded."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from openhearth.inference import Engine


@dataclass(frozen=True)
class Wish:
    """A model is to be there so many times, and may leave memory after so many idle minutes; 0
    means never.
    """

    model: str
    least: int
    most: int
    idle_minutes: int


class Placement(Protocol):
    """Keeps models loaded. Its methods may be called from any thread."""

    def want(self, wishes: Collection[Wish]) -> None:
        """All wishes of all projects, in place of those of the last call."""
        ...

    def ready(self, model: str) -> int:
        """How many replicas of a model answer now."""
        ...


class Standing:
    """The placement of one engine: what it serves is loaded once, and stays."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def want(self, wishes: Collection[Wish]) -> None:
        """Nothing is left to do."""

    def ready(self, model: str) -> int:
        """One of each that it serves."""
        return int(any(card.name == model for card in self._engine.models()))
