"""Which held-out examples are measured: from all sources in turn, always the same."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from openhearth.cli.demo.stages import repeat, spread


@dataclass
class Sources:
    """The part of token shards that the choice looks at."""

    names: list[str]

    def __len__(self) -> int:
        return len(self.names)

    def source(self, index: int) -> str:
        return self.names[index]


@given(st.lists(st.sampled_from("abcd"), max_size=60), st.integers(0, 70))
def test_sources_take_turns(names: list[str], count: int) -> None:
    shards = Sources(names)
    chosen = spread(shards, count)
    assert len(chosen) == len(set(chosen)) == min(count, len(names))
    assert chosen == spread(shards, count)
    taken, there = Counter(names[i] for i in chosen), Counter(names)
    fullest = max(taken.values(), default=0)
    for name in there:
        assert taken[name] == there[name] or taken[name] >= fullest - 1


@given(st.lists(st.integers(), min_size=1, max_size=9), st.integers(0, 30))
def test_questions_are_asked_again_if_there_are_too_few(items: list[int], count: int) -> None:
    again = repeat(items, count)
    assert len(again) == count
    assert all(again[i] == items[i % len(items)] for i in range(count))
