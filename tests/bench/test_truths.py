"""The matrix of truths and lies in small: no honest server is accused, and each lie is found.

`benchmarks/serving_truths.py` makes more trials of each, and tells how often.
"""

from concurrent.futures import ProcessPoolExecutor
from itertools import repeat

import pytest
from _lies import EQUIVALENT, HONEST_ONES, LIES, LOAD, Lie, Seen, reference, trial

SHORTER = LOAD.model_copy(update={"seconds": 8.0})
HONEST = [Lie(name, truth, 0, loaded=True) for name, truth in HONEST_ONES.items()]
# The others switch their model in part of a load: section L of the protocol has how often it shows.
CERTAIN = [lie for lie in LIES if "from four requests" not in lie.name]
SHORT = 17
# Where others use the machine, waits do grow (rules 16 and 44), and the client is late (13).
OF_THE_MACHINE = {13, 16, 44}


@pytest.fixture(scope="module")
def seen() -> dict[str, Seen]:
    """What the benchmark says of each, by name."""
    answers, all_of_them = reference(SHORTER, 0), [*HONEST, *CERTAIN]
    with ProcessPoolExecutor(2) as pool:
        came = pool.map(trial, all_of_them, repeat(SHORTER), repeat(0), repeat(answers))
        return {lie.name: one for lie, one in zip(all_of_them, came, strict=True)}


@pytest.mark.parametrize("name", HONEST_ONES)
def test_an_honest_server_is_not_accused(name: str, seen: dict[str, Seen]) -> None:
    assert seen[name].quality in EQUIVALENT
    assert seen[name].rules - OF_THE_MACHINE == {SHORT}


@pytest.mark.parametrize("lie", CERTAIN, ids=lambda lie: lie.name)
def test_a_lie_is_found(lie: Lie, seen: dict[str, Seen]) -> None:
    assert lie.found(seen[lie.name]), seen[lie.name]
