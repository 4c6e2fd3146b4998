"""Snapshots of recurrent states: what the texts that others may begin with have left behind.

Such a state cannot be cut: it belongs to one place in a text. So a sequence leaves a copy where
others are likely to go on: at the last full block of its prompt, where its prompt parted from one
that was known, and behind its answer as far as that has come (Marconi, Pan et al. 2024,
arXiv:2411.19379).

When slots are short the least worthy snapshot goes, by GreedyDual as in the tree of blocks: its
cost is the number of blocks before it.
"""

from __future__ import annotations

from openhearth.inference.pool import Pool
from openhearth.inference.radix import Node


class Snapshots:
    """The snapshots at nodes of the tree, and the slots of running sequences, all from one pool."""

    def __init__(self, slots: int) -> None:
        self._slots = Pool(slots)
        self._worth: dict[Node, float] = {}
        self._floor = 0.0  # worth of what was evicted last for want of a slot

    @property
    def available(self) -> int:
        """Slots that no running sequence has."""
        return self._slots.free + len(self._worth)

    def above(self, node: Node) -> Node | None:
        """The deepest node with a snapshot on the way to `node`, itself included."""
        return next((n for n in node.upwards() if n.snapshot is not None), None)

    def take(self) -> int:
        """A slot for a sequence; there must be one available."""
        if not self._slots.free:
            least = min(self._worth, key=self._worth.__getitem__)
            self._floor = self._worth[least]
            self.drop(least)
        return self._slots.take()

    def release(self, slot: int) -> None:
        """A sequence needs its slot no more."""
        self._slots.release(slot)

    def use(self, node: Node) -> int:
        """The slot of a snapshot, which is worth more now that somebody goes on from it."""
        assert node.snapshot is not None
        self._worth[node] = self._floor + node.depth
        return node.snapshot

    def add(self, node: Node) -> int | None:
        """A slot for a snapshot at `node`; None if there is one already, or no slot to be had."""
        if node.snapshot is not None or not self.available:
            return None
        node.snapshot = self.take()
        self._worth[node] = self._floor + node.depth
        return node.snapshot

    def drop(self, node: Node) -> None:
        """Forget the snapshot at a node, if it has one."""
        if node.snapshot is not None:
            del self._worth[node]
            self._slots.release(node.snapshot)
            node.snapshot = None
