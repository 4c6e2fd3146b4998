"""The matrix of truths and lies in small: no honest server is accused, and each lie is found.

`benchmarks/serving_truths.py` makes more trials of each, and tells how often.
"""

import pytest
from _lies import EQUIVALENT, HONEST_ONES, LIES, LOAD, Lie, reference, trial

from openhearth.bench.records import Record

# All sizes of the full matrix but for the load, which is shorter.
SMALL = LOAD.model_copy(update={"seconds": 6.0})
CHANCE = {16, 17}  # too short to be ranked, and may seem to grow (at 5 %) where a machine is busy
# What a busy machine does to waits is true of it: it is slower, and its client is late.
OF_THE_MACHINE = {13, 44}


@pytest.fixture(scope="module")
def answers() -> list[Record]:
    return reference(SMALL, 0)


@pytest.mark.parametrize("name", HONEST_ONES)
def test_an_honest_server_is_not_accused(name: str, answers: list[Record]) -> None:
    seen = trial(Lie(name, HONEST_ONES[name], 0, loaded=True), SMALL, 0, answers)
    assert seen.quality in EQUIVALENT
    assert seen.rules - CHANCE - OF_THE_MACHINE == frozenset()


@pytest.mark.parametrize("lie", LIES, ids=lambda lie: lie.name)
def test_a_lie_is_found(lie: Lie, answers: list[Record]) -> None:
    assert lie.found(trial(lie, SMALL, 0, answers))
