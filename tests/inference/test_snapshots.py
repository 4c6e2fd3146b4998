"""Which snapshot goes when slots are short."""

from __future__ import annotations

from openhearth.inference.radix import Node
from openhearth.inference.snapshots import Snapshots


def at(depth: int) -> Node:
    """A node so many blocks below the root."""
    node = Node(b"", -1, None)
    for _ in range(depth):
        node = Node(b"", -1, node)
    return node


def test_the_shallowest_goes_first_and_a_used_one_later() -> None:
    snapshots, nodes = Snapshots(3), [at(2), at(3), at(4)]
    for node in nodes:
        assert snapshots.add(node) is not None
    snapshots.take()
    assert [n.snapshot is None for n in nodes] == [True, False, False]
    snapshots.use(nodes[1])  # worth two more than when it came, as what went was worth two
    snapshots.take()
    assert [n.snapshot is None for n in nodes] == [True, False, True]


def test_what_is_dropped_for_another_reason_makes_the_others_no_less_worthy() -> None:
    """One that moves along behind an answer is dropped at every block."""
    snapshots, deep = Snapshots(3), at(9)
    assert snapshots.add(deep) is not None
    for depth in range(1, 6):
        moving = at(depth)
        assert snapshots.add(moving) is not None
        snapshots.drop(moving)
    shallow, other = at(2), at(3)
    assert snapshots.add(shallow) is not None
    assert snapshots.add(other) is not None
    snapshots.take()
    assert (shallow.snapshot, deep.snapshot is None) == (None, False)


def test_slots_of_sequences_are_not_taken_from_them() -> None:
    snapshots = Snapshots(2)
    held = [snapshots.take(), snapshots.take()]
    assert snapshots.available == 0
    assert snapshots.add(at(1)) is None
    snapshots.release(held[0])
    assert snapshots.add(at(1)) == held[0]
