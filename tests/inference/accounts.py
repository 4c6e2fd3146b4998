"""What a cache says of its pages, held against a plain count of who uses them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from openhearth.inference.cache import Cache, Hold
from openhearth.inference.radix import Node


def nodes(root: Node) -> list[Node]:
    """All nodes below `root`."""
    found = list(root.children.values())
    for node in found:
        found.extend(node.children.values())
    return found


def check_pages(cache: Cache, holds: Iterable[Hold]) -> None:
    """Every page is free, or held as often as it is used, by the tree and by all of `holds`."""
    pages, tree, holds = range(cache.count), nodes(cache._tree.root), list(holds)
    held = Counter(page for hold in holds for page in hold.pages)
    held.update(node.page for node in tree)
    holders = [cache._pages.holders(page) for page in pages]
    assert holders == [held[page] for page in pages]
    assert sorted(cache._pages._free) == [page for page in pages if not holders[page]]
    idle = [node for node in tree if holders[node.page] == 1]
    assert (cache._tree.size, cache._tree.idle) == (len(tree), len(idle))
    assert cache.available == cache.count - len({page for hold in holds for page in hold.pages})
