"""The fluidity index, against the algorithm as its authors wrote it down."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from openhearth.bench.measures.fluidity import fluidity
from openhearth.bench.records import Failure
from tests.bench.measures.build import OBJECTIVE, answers, ticks, timing

FIRST, EACH = OBJECTIVE.ttft_ms / 1e3, OBJECTIVE.tpot_ms / 1e3


def _written_down(waits: list[float]) -> float:
    """The algorithm of arXiv:2507.09019, section on the fluidity index, token by token; what passes
    after a first token that is late are deadlines of later ones, as in the code of its authors.
    """
    slack = 0.0
    total = missed = 0
    for number, wait in enumerate(waits):
        deadline = FIRST if number == 0 else EACH
        if wait <= deadline + slack:
            slack += deadline - wait
            total += 1
        else:
            misses = int((wait - slack - deadline) // EACH) + 1
            missed, total, slack = missed + misses, total + misses, 0.0
    return 1 - missed / total


@given(answers())
def test_it_is_the_index_of_the_paper(chunks: list[tuple[float, int]]) -> None:
    waits: list[float] = []
    before = 0.0
    for at, tokens in chunks:
        waits += [at - before, *[0.0] * (tokens - 1)]
        before = at
    found = fluidity(timing(0, *chunks), OBJECTIVE)
    assert found is not None
    assert abs(found - _written_down(waits)) < 1e-12


def test_a_stall_by_hand() -> None:
    # In time (1 s saved none), then a token after 1 s where 0.25 s were allowed: the deadlines at
    # 0.25, 0.5, 0.75 and 1 s passed, then one in time. Two of six are kept.
    assert fluidity(timing(0, (1, 1), (2, 1), (2.25, 1)), OBJECTIVE) == 2 / 6


def test_saved_time_may_be_spent_later() -> None:
    early = [(0.25, 1), (0.25, 3), (1.75, 1)]  # 0.75 s and three times 0.25 s saved, 1.5 s waited
    assert fluidity(timing(0, *early), OBJECTIVE) == 1
    assert (fluidity(timing(0, (1, 1), (2.5, 1)), OBJECTIVE) or 0) < 1


@given(st.lists(st.floats(0, 1), min_size=1, max_size=10))
def test_all_in_time_is_one(shares: list[float]) -> None:
    chunks, at = [], 0.0
    for number, share in enumerate(shares):
        at += share * (FIRST if number == 0 else EACH)
        chunks.append((at, 1))
    assert fluidity(timing(0, *chunks), OBJECTIVE) == 1


@given(answers(), ticks)
def test_it_is_a_share_and_does_not_depend_on_the_clock(
    chunks: list[tuple[float, int]], due: float
) -> None:
    found = fluidity(timing(0, *chunks), OBJECTIVE)
    assert found is not None
    assert 0 <= found <= 1
    assert found == fluidity(timing(due, *chunks), OBJECTIVE)


def test_of_a_failure_it_is_nothing_and_without_tokens_it_is_unknown() -> None:
    assert fluidity(timing(0, (0.1, 4), failure=Failure.CUT), OBJECTIVE) == 0
    assert fluidity(timing(0, route="embeddings", ended=1.0), OBJECTIVE) is None
