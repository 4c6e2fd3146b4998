"""A load in shares is the same load."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openhearth.bench.load import Sent, merge, share
from openhearth.bench.load.sharing import roots
from openhearth.bench.records import Ask, Record
from openhearth.errors import UsageError
from tests.bench.load.conftest import ask


@st.composite
def loads(draw: st.DrawFn) -> list[Ask]:
    """Requests of which some come after others, in any order of their numbers."""
    count = draw(st.integers(0, 12))
    numbers = draw(st.permutations(range(100, 100 + count)))
    asks = []
    for place, number in enumerate(numbers):
        before = draw(st.none() | st.sampled_from(numbers[:place])) if place else None
        asks.append(ask(number, draw(st.floats(0, 9)), after=before))
    return draw(st.permutations(asks))


@given(loads(), st.integers(1, 4))
def test_shares_have_everything_once_and_keep_conversations_together(
    asks: list[Ask], n: int
) -> None:
    shares = [share(asks, k, n) for k in range(n)]
    assert sorted(one.number for part in shares for one in part) == sorted(
        one.number for one in asks
    )
    root = roots(asks)
    for part in shares:
        mine = {one.number for one in part}
        assert {one.number for one in asks if root[one.number] in {root[m] for m in mine}} == mine
        assert roots(part) == {number: root[number] for number in mine}
    begins = [sum(one.after is None for one in part) for part in shares]
    assert max(begins) - min(begins) <= 1


def record(number: int, **rest: int) -> Record:
    made = Record(number, "chat", "chat/completions", {}, float(number), sent=number + 0.5)
    return replace(made, **rest)


def test_shares_are_put_together_exactly() -> None:
    mine = Sent([record(0), record(2), record(1, point=1)], False, 100.0)
    yours = Sent([record(1, process=1), record(0, point=1)], True, 99.5)
    whole = merge([yours, mine])
    assert [(one.point, one.number) for one in whole.records] == [
        (0, 0),
        (0, 1),
        (0, 2),
        (1, 0),
        (1, 1),
    ]
    assert whole.interrupted
    assert whole.began == 99.5
    assert whole.lateness_s == [0.5] * 5
    assert merge([whole]) == whole


def test_what_does_not_fit_together_is_refused() -> None:
    with pytest.raises(UsageError, match="same request"):
        merge([Sent([record(0)], False, 0.0)] * 2)
    with pytest.raises(UsageError, match="nothing"):
        merge([])
    with pytest.raises(UsageError, match="counted from 0"):
        share([], 2, 2)
    with pytest.raises(UsageError, match="same number"):
        roots([ask(1), ask(1)])
    with pytest.raises(UsageError, match="not there"):
        roots([ask(1, after=2)])
    with pytest.raises(UsageError, match="comes after"):
        roots([ask(1, after=2), ask(2, after=1)])
