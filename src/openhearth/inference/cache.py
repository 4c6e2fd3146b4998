"""Pages for running sequences, shared by those that begin alike, and kept after they end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from openhearth.inference.pages import Pages
from openhearth.inference.radix import Node, RadixTree


@dataclass(eq=False)
class Hold:
    """The pages of one sequence; the first `leaf.depth` of them are in the tree."""

    pages: list[int]
    leaf: Node


class Cache:
    """`pages` pages of `page` tokens; never more are in use.

    A sequence's tokens come as blocks: bytes that stand for `page` tokens each, of which the first
    also names what else the keys depend on: the digest of the adapter.
    """

    def __init__(self, pages: int, page: int) -> None:
        self.page = page
        self._pages = Pages(pages)
        self._tree = RadixTree(self._pages)

    @property
    def count(self) -> int:
        """How many pages there are."""
        return self._pages.count

    @property
    def available(self) -> int:
        """Pages that nobody holds, counting what can be evicted."""
        return self._pages.free + self._tree.idle

    def pages_for(self, tokens: int) -> int:
        """How many pages `tokens` tokens need."""
        return -(-tokens // self.page)

    def known(self, blocks: Sequence[bytes]) -> int:
        """How many blocks at the beginning of `blocks` are cached."""
        return self._tree.find(blocks).depth

    def hold(self, blocks: Sequence[bytes]) -> Hold:
        """Hold the pages of the longest beginning of `blocks` that is cached."""
        leaf = self._tree.find(blocks)
        return Hold(self._tree.hold(leaf), leaf)

    def grow(self, hold: Hold, tokens: int) -> bool:
        """Give `hold` pages for `tokens` tokens in all; False, and none, if too few are left."""
        missing = self.pages_for(tokens) - len(hold.pages)
        if missing > self.available:
            return False
        for _ in range(missing):
            if not self._pages.free:
                self._tree.evict()
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

    def release(self, hold: Hold) -> None:
        """Let the pages go; what is known stays until the memory is needed."""
        for page in hold.pages[hold.leaf.depth :]:
            self._pages.release(page)
        self._tree.release(hold.leaf)
        hold.pages, hold.leaf = [], self._tree.root
