"""A tree over blocks of tokens: which pages hold the keys and values of which beginnings.

A node is one full block behind all those above it, so that a path from the root spells a
beginning that sequences can share (RadixAttention, Zheng et al. 2024, arXiv:2312.07104). Whoever
holds a node's page holds the pages of all nodes above it.

Pool that only the tree holds are idle, and go when memory is short: leaves first, by GreedyDual
(Young 1994). A node's worth is what computing it again would cost, plus the worth of what was
evicted last before it was used; so among equally costly ones the least recently used goes, and a
costly one stays longer. Cost is 1 for a block's matrix products, plus its depth / DEEP for its
attention to the blocks before it.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from itertools import count

from openhearth.inference.pool import Pool

DEEP = 64  # blocks that cost as much to attend to as a block's products, in a small model


class Node:
    """A block: its page, and what follows it. The root has neither block nor page."""

    __slots__ = ("block", "children", "depth", "page", "parent", "snapshot", "used", "worth")

    def __init__(self, block: bytes, page: int, parent: Node | None) -> None:
        self.block = block
        self.page = page
        self.parent = parent
        self.children: dict[bytes, Node] = {}
        self.depth: int = parent.depth + 1 if parent else 0
        self.worth = 0.0
        self.used = 0
        self.snapshot: int | None = None  # the slot of the recurrent state behind this block

    def upwards(self) -> Iterator[Node]:
        """This node and those above it, without the root."""
        node = self
        while node.parent is not None:
            yield node
            node = node.parent


class RadixTree:
    """Blocks that are known, over the pages that hold them. It holds each of its pages once."""

    def __init__(self, pages: Pool) -> None:
        self.root = Node(b"", -1, None)
        self.size = 0
        self.idle = 0  # pages that only the tree holds
        self._pages = pages
        self._floor = 0.0  # worth of what was evicted last
        self._clock = count(1)
        # Idle leaves by worth; entries that are true no more are passed over.
        self._leaves: list[tuple[float, int, Node]] = []

    def find(self, blocks: Sequence[bytes]) -> Node:
        """The node of the longest beginning of `blocks` that is known; the root for none."""
        node = self.root
        for block in blocks:
            child = node.children.get(block)
            if child is None:
                break
            node = child
        return node

    def add(self, parent: Node, block: bytes, page: int) -> Node:
        """A new node below `parent` for a page that a sequence holds, and the tree from now on."""
        node = parent.children[block] = Node(block, page, parent)
        self._pages.share(page)
        self.size += 1
        return node

    def hold(self, leaf: Node) -> list[int]:
        """Hold the pages of `leaf` and of all nodes above it; from the first on."""
        path = list(leaf.upwards())
        for node in path:
            self.hold_one(node)
        return [node.page for node in reversed(path)]

    def hold_one(self, node: Node) -> None:
        """Hold the page of `node`, by one who holds those above it."""
        self.idle -= self._pages.holders(node.page) == 1
        self._pages.share(node.page)

    def release(self, leaf: Node) -> None:
        """Let go of what `hold` or `add` held of `leaf` and of all nodes above it."""
        now = next(self._clock)
        for node in leaf.upwards():
            self._pages.release(node.page)
            node.used, node.worth = now, self._floor + 1 + node.depth / DEEP
            if self._pages.holders(node.page) == 1:
                self.idle += 1
                self._offer(node)

    def evict(self) -> Node:
        """Give back the page of the least worthy idle leaf, there must be one, and forget it."""
        while True:
            worth, used, node = heapq.heappop(self._leaves)
            if self._is_idle_leaf(node) and node.used == used:
                break
        parent = node.parent
        assert parent is not None
        del parent.children[node.block]
        node.parent = None
        self.size -= 1
        self.idle -= 1
        self._floor = worth
        self._pages.release(node.page)
        self._offer(parent)
        return node

    def _offer(self, node: Node) -> None:
        if not self._is_idle_leaf(node):
            return
        if len(self._leaves) > 2 * self.size + 16:
            self._leaves = [
                e for e in self._leaves if self._is_idle_leaf(e[2]) and e[1] == e[2].used
            ]
            heapq.heapify(self._leaves)
        heapq.heappush(self._leaves, (node.worth, node.used, node))

    def _is_idle_leaf(self, node: Node) -> bool:
        alone = node.parent is not None and not node.children
        return alone and self._pages.holders(node.page) == 1
