"""What running sequences keep, shared by those that begin alike, and kept after they end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from openhearth.inference.pool import Pool
from openhearth.inference.radix import Node, RadixTree
from openhearth.inference.snapshots import Snapshots

Copy = tuple[int, int]  # of a recurrent state, from one slot to another


@dataclass(eq=False)
class Hold:
    """The pages of one sequence, the first `leaf.depth` of them in the tree; and the slot of its
    recurrent state, if the model has such.

    `source` is the slot whose state it goes on from. `parting` is how many blocks were known that
    it must compute again, because there is no state to go on from behind them. `latest` is where
    the last state within its answer was kept.
    """

    pages: list[int]
    leaf: Node
    slot: int | None = None
    source: int | None = None
    parting: int = 0
    latest: Node | None = None


class Cache:
    """`pages` pages of `page` tokens, and `slots` recurrent states, none if the model has no such
    mixers; never more are in use.

    A sequence's tokens come as blocks: bytes that stand for `page` tokens each, of which the first
    also names what else the keys depend on: the digest of the adapter.
    """

    def __init__(self, pages: int, page: int, slots: int = 0) -> None:
        self.page = page
        self._pages = Pool(pages)
        self._tree = RadixTree(self._pages)
        self._snapshots = Snapshots(slots) if slots else None

    @property
    def count(self) -> int:
        """How many pages there are."""
        return self._pages.count

    @property
    def available(self) -> int:
        """Pages that nobody holds, counting what can be evicted."""
        return self._pages.free + self._tree.idle

    @property
    def has_slot(self) -> bool:
        """Whether one more sequence can have a recurrent state, if it needs one."""
        return self._snapshots is None or self._snapshots.available > 0

    def pages_for(self, tokens: int) -> int:
        """How many pages `tokens` tokens need."""
        return -(-tokens // self.page)

    def known(self, blocks: Sequence[bytes]) -> int:
        """How many blocks at the beginning of `blocks` need not be computed again."""
        return self._usable(self._tree.find(blocks)).depth

    def hold(self, blocks: Sequence[bytes]) -> Hold:
        """Hold the pages of the longest beginning of `blocks` that can be gone on from, and a slot,
        of which there must be one, if the model needs it.
        """
        found = self._tree.find(blocks)
        leaf = self._usable(found)
        hold = Hold(self._tree.hold(leaf), leaf)
        if self._snapshots is not None:
            hold.source = self._snapshots.use(leaf) if leaf.depth else None
            hold.slot = self._snapshots.take()
            hold.parting = found.depth
        return hold

    def grow(self, hold: Hold, tokens: int) -> bool:
        """Give `hold` pages for `tokens` tokens in all; False, and none, if too few are left."""
        missing = self.pages_for(tokens) - len(hold.pages)
        if missing > self.available:
            return False
        for _ in range(missing):
            if not self._pages.free:
                self._evict()
            hold.pages.append(self._pages.take())
        return True

    def learn(self, hold: Hold, blocks: Sequence[bytes]) -> None:
        """Let others share what the pages of `hold` now contain: these blocks, from the first on.

        Where a block came to be known meanwhile, its page takes the place of the one in `hold`.
        """
        for at in range(hold.leaf.depth, len(blocks)):
            parent, block, page = hold.leaf, blocks[at], hold.pages[at]
            node = parent.children.get(block)
            if node is None:
                node = self._tree.add(parent, block, page)
            else:
                self._tree.hold_one(node)
                self._pages.release(page)
                hold.pages[at] = node.page
            hold.leaf = node

    def keep(self, hold: Hold, *, moving: bool) -> Copy | None:
        """Where to copy the state of `hold`, which now stands behind all that it has learned, so
        that others can go on from there; nowhere if that is not worth it. A `moving` one replaces
        the last of its kind.
        """
        snapshots = self._snapshots
        if snapshots is None or not hold.leaf.depth:
            return None
        if moving and hold.latest is not None:
            snapshots.drop(hold.latest)
            hold.latest = None
        target = snapshots.add(hold.leaf)
        if target is None or hold.slot is None:
            return None
        if moving:
            hold.latest = hold.leaf
        return hold.slot, target

    def release(self, hold: Hold) -> None:
        """Let the pages go; what is known stays until the memory is needed."""
        for page in hold.pages[hold.leaf.depth :]:
            self._pages.release(page)
        self._tree.release(hold.leaf)
        if self._snapshots is not None and hold.slot is not None:
            self._snapshots.release(hold.slot)
        hold.pages, hold.leaf, hold.slot = [], self._tree.root, None

    def _usable(self, node: Node) -> Node:
        """The deepest node up to this one that a sequence can go on from."""
        if self._snapshots is None:
            return node
        return self._snapshots.above(node) or self._tree.root

    def _evict(self) -> None:
        node = self._tree.evict()
        if self._snapshots is not None:
            self._snapshots.drop(node)
