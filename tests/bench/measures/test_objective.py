"""Who keeps the objective, and when enough do."""

from __future__ import annotations

import pytest
import scipy.stats
from hypothesis import assume, given
from hypothesis import strategies as st

from openhearth.bench.measures import Decision, Timing, Verdict
from openhearth.bench.measures.objective import decide, keeps
from openhearth.bench.recipe import Objective
from openhearth.bench.records import Failure
from tests.bench.measures.build import OBJECTIVE, timing

GOOD = timing(0, (0.5, 1), (0.75, 1))
BAD = timing(0, (1.5, 1))


@pytest.mark.parametrize(
    ("one", "kept"),
    [
        (GOOD, True),
        (timing(0, (1, 1)), True),  # at the bound
        (BAD, False),  # too late
        (timing(0, (0.5, 1), (1.5, 2)), False),  # half a second a token
        (timing(0, (1, 1), (2, 1), (2, 3)), False),  # fast enough, but it stood still
        (timing(0, (0.1, 5), failure=Failure.CUT), False),
        (timing(0, route="embeddings", ended=0.5), True),
        (timing(0, route="embeddings", ended=1.5), False),
        (timing(0, (0.5, 1), hung_up=True), True),
        (timing(0, hung_up=True), False),  # nothing came
    ],
)
def test_an_answer_keeps_all_bounds_or_misses(one: Timing, kept: bool) -> None:
    assert keeps(one, OBJECTIVE.model_copy(update={"fluidity": 0.75})) is kept


# Of 100 requests at an objective of 90 %: the bounds of Clopper and Pearson, by scipy.
@pytest.mark.parametrize(
    ("misses", "verdict"),
    [
        (0, "holds"),
        (4, "holds"),
        (5, "undecided"),
        (15, "undecided"),
        (16, "fails"),
        (100, "fails"),
    ],
)
def test_a_share_holds_or_fails_with_95_per_cent_confidence(misses: int, verdict: str) -> None:
    found = decide([BAD] * misses + [GOOD] * (100 - misses), OBJECTIVE)
    assert (found.requests, found.misses, found.allowed) == (100, misses, 0.1)
    assert found.verdict == verdict


@given(st.integers(0, 300), st.integers(1, 300), st.sampled_from([0.5, 0.9, 0.95, 0.99]))
def test_it_holds_exactly_when_so_few_misses_are_that_unlikely(
    misses: int, requests: int, share: float
) -> None:
    assume(misses <= requests)
    objective = Objective(ttft_ms=1000, tpot_ms=250, share=share)
    found = decide([BAD] * misses + [GOOD] * (requests - misses), objective)
    # The bound is at most the share if, were the share just that, so few would come in 5 % of runs.
    unlikely = scipy.stats.binom.cdf(misses, requests, found.allowed)
    assume(abs(unlikely - 0.05) > 1e-9)
    assert (found.verdict is Verdict.HOLDS) == (unlikely <= 0.05)


def test_without_requests_nothing_is_decided() -> None:
    assert decide([], OBJECTIVE).verdict is Verdict.UNDECIDED
    assert Decision(20, 1, 0.0, 0.1, 0.1).verdict is Verdict.HOLDS
