"""What is in the memory of nodes, as their beats tell it: what was loaded, what has left, and when.

A node tells at once of every change, so what differs between two of its beats is what happened.
What it had when it was first heard of came before our time, and is in memory, but no news.
"""

from __future__ import annotations

from typing import Protocol

from openhearth.fleet.catalogue import Catalogue
from openhearth.fleet.messages import Load, NodeBeat

SHORT = 12  # digits of a digest that has no name


class Watcher(Protocol):
    """Who counts what happens."""

    def loaded(self, model: str, load: Load) -> None:
        """A node has loaded it."""

    def unloaded(self, model: str) -> None:
        """A node has it in memory no more, because it let it go or is gone itself."""


class Memory:
    """For the event loop in which beats are heard; it may be asked from any thread."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.watcher: Watcher | None = None
        self._catalogue = catalogue
        self._nodes: dict[str, dict[str, Load]] = {}

    def heard(self, beat: NodeBeat) -> None:
        """A node says what it has."""
        before = self._nodes.get(beat.id, beat.loads)
        self._nodes[beat.id] = beat.loads
        for digest, load in before.items():
            if beat.loads.get(digest) != load:
                self._left(digest)
        for digest, load in beat.loads.items():
            if before.get(digest) != load and self.watcher:
                self.watcher.loaded(self._name(digest), load)

    def left(self, node: str) -> None:
        """A node is gone, and its memory with it."""
        for digest in self._nodes.pop(node, {}):
            self._left(digest)

    def find(self, model: str) -> Load | None:
        """How the base of a model came into memory, where that was last; None if no node has it.

        Raises:
            NotFound: there is no model of this name.
        """
        base = self._catalogue.find(model).base.digest
        loads = [loads[base] for loads in [*self._nodes.values()] if base in loads]
        return max(loads, key=lambda load: load.at, default=None)

    def all(self) -> list[Load]:
        """Those of all models on all nodes."""
        return [load for loads in [*self._nodes.values()] for load in loads.values()]

    def _left(self, digest: str) -> None:
        if self.watcher:
            self.watcher.unloaded(self._name(digest))

    def _name(self, digest: str) -> str:
        names = [n for n, v in self._catalogue.versions().items() if v.card.digest == digest]
        return min(names, default=digest[:SHORT])
