"""Held-out documents: whole sources, the share that was asked for, the same whatever the order."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openhearth.data import split
from openhearth.data.schema import Quarantine, document, to_batch
from openhearth.data.tally import Tally
from openhearth.errors import UsageError


def batch(names: list[tuple[str, str]]) -> pa.RecordBatch:
    """Documents with these ids and sources."""
    return to_batch([document(i, "text", source) for i, source in names], Quarantine())


MANY = [(f"d{i}", f"s{i % 40}") for i in range(400)]


def test_sources_are_on_one_side() -> None:
    chosen = split.choose([batch(MANY)], 0.2, seed=0)
    assert chosen.by_source
    held = chosen.heldout(batch(MANY))
    sides = {source: set() for _, source in MANY}
    for (_, source), side in zip(MANY, held.tolist(), strict=True):
        sides[source].add(side)
    assert all(len(side) == 1 for side in sides.values())
    assert sum(side == {True} for side in sides.values()) == 8


@given(st.permutations(range(10)), st.integers(0, 5))
def test_order_and_batches_do_not_matter(order: list[int], seed: int) -> None:
    pieces = [batch(MANY[40 * i : 40 * (i + 1)]) for i in order]
    assert split.choose(pieces, 0.3, seed) == split.choose([batch(MANY)], 0.3, seed)


def test_other_seeds_hold_out_others() -> None:
    held = [split.choose([batch(MANY)], 0.2, s).heldout(batch(MANY)).tolist() for s in (0, 1)]
    assert held[0] != held[1]


def test_with_few_sources_documents_are_held_out_with_all_their_examples() -> None:
    names = [(f"d{i}#{k}", "one") for i in range(10) for k in range(3)]
    chosen = split.choose([batch(names)], 0.2, seed=0)
    assert not chosen.by_source
    held = chosen.heldout(batch(names)).reshape(10, 3)
    assert (held.all(axis=1) == held.any(axis=1)).all()
    assert held[:, 0].sum() == 2


@given(st.integers(4, 60), st.floats(0.01, 0.99))
def test_both_sides_have_two(count: int, share: float) -> None:
    names = [(f"d{i}", f"s{i}") for i in range(count)]
    held = split.choose([batch(names)], share, seed=0).heldout(batch(names))
    assert 2 <= held.sum() <= count - 2
    assert abs(held.sum() - share * count) <= 2


def test_too_few_say_how_many_are_needed() -> None:
    with pytest.raises(UsageError, match=r"3 documents are left .* 4 are needed"):
        split.choose([batch(MANY[:3])], 0.2, seed=0)


def test_the_sides_are_all_there_is() -> None:
    documents = batch(MANY)
    chosen = split.choose([documents], 0.2, seed=0)
    tally = Tally()
    sides = [split.Side(chosen, held)(documents, tally).num_rows for held in (False, True)]
    assert sum(sides) == tally.counts["documents"] == len(MANY)
