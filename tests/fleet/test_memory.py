"""What beats tell of memory: each load and each unload once, and what is there now."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openhearth.errors import NotFound
from openhearth.fleet.catalogue import Catalogue
from openhearth.fleet.memory import SHORT, Memory
from openhearth.fleet.messages import Load, NodeBeat
from openhearth.store import Store

UNKNOWN = "ab" * 32


class Counts:
    """How often each model came and left, and in how many seconds it came last."""

    def __init__(self) -> None:
        self.came: Counter[str] = Counter()
        self.went: Counter[str] = Counter()
        self.seconds = 0.0

    def loaded(self, model: str, load: Load) -> None:
        self.came[model] += 1
        self.seconds = load.seconds

    def unloaded(self, model: str) -> None:
        self.went[model] += 1


@pytest.fixture(scope="module")
def catalogue(long_home: Path) -> Catalogue:
    return Catalogue(Store(long_home))


def watched(catalogue: Catalogue) -> tuple[Memory, Counts]:
    memory = Memory(catalogue)
    memory.watcher = counts = Counts()
    return memory, counts


def test_what_differs_between_two_beats_has_come_or_left(catalogue: Catalogue) -> None:
    memory, counts = watched(catalogue)
    digest = catalogue.find("long").card.digest
    first, second = Load(0.5, 7, 10.0), Load(0.25, 7, 20.0)
    memory.heard(NodeBeat("n"))
    for load in (first, first, second):
        memory.heard(NodeBeat("n", loads={digest: load}))
        assert memory.find("long") == memory.find("tuned") == load
    assert (counts.came, counts.went, counts.seconds) == ({"long": 2}, {"long": 1}, 0.25)
    memory.heard(NodeBeat("n", loads={UNKNOWN: second}))
    assert counts.came == {"long": 2, UNKNOWN[:SHORT]: 1}
    assert memory.find("long") is None
    assert memory.all() == [second]
    with pytest.raises(NotFound):
        memory.find("missing")


def test_what_was_there_before_us_is_no_news_and_leaves_with_its_node(catalogue: Catalogue) -> None:
    memory, counts = watched(catalogue)
    digest = catalogue.find("long").card.digest
    for node, at in (("a", 1.0), ("b", 3.0), ("c", 2.0)):
        memory.heard(NodeBeat(node, loads={digest: Load(1.0, 7, at)}))
    assert counts.came.total() == 0
    assert memory.find("long") == Load(1.0, 7, 3.0)  # the last of them
    memory.left("b")
    memory.left("b")
    memory.left("never there")
    assert counts.went == {"long": 1}
    assert [load.at for load in memory.all()] == [1.0, 2.0]


digests = st.sampled_from([f"{i:064x}" for i in range(3)])
loads = st.builds(Load, st.just(1.0), st.just(7), st.integers(0, 2).map(float))
beats = st.builds(
    lambda node, loads: NodeBeat(node, loads=loads),
    st.sampled_from("ab"),
    st.dictionaries(digests, loads),
)


@given(st.lists(beats | st.sampled_from("ab"), max_size=12))
def test_as_many_are_there_as_were_there_first_and_came_and_did_not_leave(
    catalogue: Catalogue, said: list[NodeBeat | str]
) -> None:
    memory, counts = watched(catalogue)
    there: dict[str, int] = {}
    found = 0  # when a node was first heard of
    for one in said:
        if isinstance(one, str):
            memory.left(one)
            there.pop(one, None)
        else:
            found += len(one.loads) if one.id not in there else 0
            memory.heard(one)
            there[one.id] = len(one.loads)
        assert len(memory.all()) == sum(there.values())
        assert len(memory.all()) == found + counts.came.total() - counts.went.total()
