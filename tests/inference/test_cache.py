"""The paged cache against a plain account of what every page holds, and its order of eviction."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule

from openhearth.inference.cache import Cache, Hold
from tests.inference.accounts import check_pages

PAGES, PAGE = 8, 4
# Few different blocks, so that beginnings are often shared.
prompts = st.lists(st.sampled_from([b"a", b"b", b"c"]), max_size=6).map(tuple)


class Account(RuleBasedStateMachine):
    """Sequences come, compute, share and leave; `contents` says what was written to each page."""

    holds = Bundle("holds")

    def __init__(self) -> None:
        super().__init__()
        self.cache = Cache(PAGES, PAGE)
        self.contents: dict[int, tuple[bytes, ...]] = {}
        self.learned: set[tuple[bytes, ...]] = set()
        self.alive: list[tuple[Hold, tuple[bytes, ...]]] = []

    @rule(target=holds, blocks=prompts, more=st.integers(0, PAGE))
    def start(self, blocks: tuple[bytes, ...], more: int) -> object:
        known = self.cache.known(blocks)
        hold = self.cache.hold(blocks)
        assert len(hold.pages) == known
        assert all(self.contents[p] == blocks[: i + 1] for i, p in enumerate(hold.pages))
        before, available = list(hold.pages), self.cache.available
        fits = self.cache.pages_for(len(blocks) * PAGE + more) - known <= available
        assert self.cache.grow(hold, len(blocks) * PAGE + more) == fits
        if not fits:
            assert (hold.pages, self.cache.available) == (before, available)
            self.cache.release(hold)
            return multiple()
        for i in range(known, len(hold.pages)):
            self.contents[hold.pages[i]] = blocks[: i + 1] if i < len(blocks) else (b"part of",)
        self.alive.append((hold, blocks))
        return self.alive[-1]

    @rule(sequence=holds, count=st.integers(0, 6))
    def learn(self, sequence: tuple[Hold, tuple[bytes, ...]], count: int) -> None:
        hold, blocks = sequence
        self.cache.learn(hold, blocks[:count])
        self.learned.update(blocks[: i + 1] for i in range(min(count, len(blocks))))
        assert self.cache.known(blocks) >= min(count, len(blocks))

    @rule(sequence=consumes(holds))
    def release(self, sequence: tuple[Hold, tuple[bytes, ...]]) -> None:
        self.alive.remove(sequence)
        self.cache.release(sequence[0])

    @rule(blocks=prompts)
    def what_is_known_was_learned(self, blocks: tuple[bytes, ...]) -> None:
        known = self.cache.known(blocks)
        assert known == 0 or blocks[:known] in self.learned

    @invariant()
    def every_page_is_held_as_often_as_it_is_used(self) -> None:
        check_pages(self.cache, [hold for hold, _ in self.alive])

    @invariant()
    def what_runs_keeps_its_contents(self) -> None:
        for hold, blocks in self.alive:
            for i, page in enumerate(hold.pages[: len(blocks)]):
                assert self.contents[page] == blocks[: i + 1]


Account.TestCase.settings = settings(max_examples=200, stateful_step_count=40)
TestAccount = Account.TestCase


def leave(cache: Cache, *blocks: bytes) -> None:
    """A sequence of these blocks comes and goes."""
    hold = cache.hold(blocks)
    assert cache.grow(hold, len(blocks) * PAGE)
    cache.learn(hold, blocks)
    cache.release(hold)


def test_the_least_recently_used_goes_first_and_leaves_before_their_parents() -> None:
    cache = Cache(4, PAGE)
    leave(cache, b"a", b"b")
    leave(cache, b"c", b"d")
    leave(cache, b"a", b"b")
    taken = cache.hold([])
    assert cache.grow(taken, PAGE)
    assert (cache.known([b"a", b"b"]), cache.known([b"c", b"d"])) == (2, 1)
    assert cache.grow(taken, 3 * PAGE)
    assert (cache.known([b"a", b"b"]), cache.known([b"c"])) == (1, 0)


def test_what_is_deep_costs_more_and_stays_longer() -> None:
    cache, deep = Cache(131, PAGE), [bytes([i]) for i in range(129)]
    leave(cache, *deep)
    leave(cache, b"later")
    leave(cache, b"last")
    taken = cache.hold([])
    assert cache.grow(taken, 2 * PAGE)
    assert cache.known(deep) == 129
    assert cache.known([b"later"]) == cache.known([b"last"]) == 0


def test_what_is_deep_goes_too_when_it_is_not_used_for_long() -> None:
    cache, deep = Cache(132, PAGE), [bytes([i]) for i in range(129)]
    leave(cache, *deep)
    for i in range(20):
        leave(cache, b"short" + bytes([i]))
    assert cache.known(deep) < 129


def test_the_list_of_leaves_does_not_grow_with_use() -> None:
    cache = Cache(4, PAGE)
    for _ in range(1000):
        leave(cache, b"a", b"b")
    assert len(cache._tree._leaves) < 50
