"""The order of the data: all of it, no more than the budget, the same every time."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openhearth.errors import UsageError
from openhearth.training.items import collate
from openhearth.training.order import Budget, micro_batches, order
from tests.training.sources import examples, rows

BUDGET = Budget(epochs=1, tokens=None, batch=128, micro=None, examples=None, seed=0)


def test_a_pass_has_every_example_once_in_steps_that_fit() -> None:
    data = examples([n % 50 + 5 for n in range(100)])
    steps = order(data, BUDGET)
    assert sorted(i for group in steps for i in group) == list(range(100))
    assert max(int(data.lengths[list(group)].sum()) for group in steps) <= 128
    assert list(steps) == list(order(data, BUDGET))
    assert list(steps) != list(order(data, replace(BUDGET, seed=1)))


def test_tokens_end_the_run_before_the_passes_do() -> None:
    data = examples([20] * 50)
    steps = order(data, replace(BUDGET, epochs=9, tokens=700))
    sizes = [int(data.lengths[list(group)].sum()) for group in steps]
    assert sum(sizes) >= 700 > sum(sizes[:-1])


def test_a_step_may_be_counted_in_examples() -> None:
    steps = list(order(examples([20] * 10), replace(BUDGET, examples=4, epochs=2)))
    assert [len(group) for group in steps] == [4, 4, 2, 4, 4, 2]
    assert sorted(i for group in steps[:3] for i in group) == list(range(10))


@given(
    count=st.integers(1, 40),
    length=st.integers(1, 30),
    epochs=st.integers(1, 3),
    seed=st.integers(0),
)
def test_rows_come_once_a_pass_and_any_step_can_be_asked_alone(
    count: int, length: int, epochs: int, seed: int
) -> None:
    data = rows([count * length], length)
    budget = replace(BUDGET, batch=3 * length, epochs=epochs, seed=seed % 2**32)
    steps = order(data, budget)
    seen = [i for step in range(len(steps)) for i in steps[step]]
    assert len(steps[0]) == min(3, epochs * count)
    for epoch in range(epochs):
        assert sorted(seen[epoch * count : (epoch + 1) * count]) == list(range(count))
    with pytest.raises(IndexError):
        steps[len(steps)]


def test_rows_end_with_the_tokens_too() -> None:
    data = rows([1000], 10)
    assert len(order(data, replace(BUDGET, batch=40, tokens=95))) == 3


@given(lengths=st.lists(st.integers(1, 30), min_size=1, max_size=20), most=st.integers(30, 90))
def test_micro_batches_are_a_step_in_pieces(lengths: list[int], most: int) -> None:
    data, group = examples(lengths), list(range(len(lengths)))
    parts = micro_batches(data, group, most)
    assert [i for part in parts for i in part] == group
    assert all(sum(lengths[i] for i in part) <= most for part in parts)
    assert micro_batches(data, group, None) == [group]


def test_what_cannot_be_ordered_is_refused() -> None:
    with pytest.raises(UsageError, match="no training examples"):
        order(examples([]), BUDGET)
    with pytest.raises(UsageError, match="batch_tokens is 128, but the longest example has 200"):
        order(examples([200]), BUDGET)
    with pytest.raises(UsageError, match="micro_tokens is 64"):
        order(examples([100]), replace(BUDGET, micro=64))


def test_a_batch_says_what_counts_and_what_belongs_together() -> None:
    data = examples([4, 6, 8, 2], together=2)
    assert len(data) == 2
    assert data.lengths.tolist() == [10, 10]
    assert data.counted(1) == 5
    batch = collate(data, [1, 0], "a")
    assert [piece.length for piece in batch.ragged.pieces] == [8, 2, 4, 6]
    assert batch.counts.tolist() == [4, 1, 2, 3]
    assert batch.targets.tolist() == [4, 5, 6, 7, 9, 12, 13, 17, 18, 19]
    assert batch.labels.equal(batch.tokens[batch.targets])


def test_rows_are_pieces_of_documents_and_their_first_tokens_do_not_count() -> None:
    data = rows([3, 10, 4], 6)
    assert [len(ids) for ids, _ in data.pieces(0)] == [3, 3]
    assert [len(ids) for ids, _ in data.pieces(1)] == [6]
    assert data.counted(0) == 4
    assert data.lengths.tolist() == [6, 6, 5]
    assert sum(len(ids) for i in range(3) for ids, _ in data.pieces(i)) == 17
