"""Groups by an external sort, held against dictionaries."""

from __future__ import annotations

import contextlib
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from openhearth.data.dedup import group, link, scatter
from openhearth.data.executors import Threads
from openhearth.errors import HearthError

keys = st.integers(0, 5) | st.sampled_from([1 << 56, (1 << 56) + 1, (1 << 64) - 1])


def wide(width: int, threads: int = 1) -> Threads:
    """Threads that say that so many jobs are done at once."""
    executor = Threads(threads)
    executor.width = width
    return executor


class Interrupted(Exception):
    """Work that ends in the middle."""


class Interrupting(Threads):
    """A thread that stops for good before it begins with a job, or with a leaf of one."""

    def __init__(self, after: int) -> None:
        super().__init__(1)
        self._left = after

    def _step(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise Interrupted

    def map(self, work: Callable, items: Iterable) -> Iterator:
        for item in items:
            self._step()
            yield work(item)

    def run(self, jobs: Iterable) -> Iterator:
        for job in jobs:
            self._step()
            yield job.run(self)


@dataclass(frozen=True)
class Listed:
    """The keys of consecutive documents, one document after the other."""

    documents: Sequence[Sequence[int]]
    words: int
    first: int

    def __call__(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for number, held in enumerate(self.documents, self.first):
            keys = np.array(held, np.uint64).reshape(-1, 1).repeat(self.words, axis=1)
            yield keys, np.full(len(keys), number)


@dataclass(frozen=True)
class Case:
    """Documents, cut in any way, to be grouped by so many jobs."""

    documents: list[list[int]]
    words: int
    cuts: list[int]
    width: int

    def links(self, folder: Path, executor: Threads) -> link.Links:
        ends = [0, *sorted(cut % (len(self.documents) + 1) for cut in self.cuts)]
        ends.append(len(self.documents))
        sources = [Listed(self.documents[a:b], self.words, a) for a, b in pairwise(ends)]
        return link.link(sources, self.words, folder, executor, width=self.width, with_keys=True)

    def read(self, found: link.Links, folder: Path) -> tuple[list, list]:
        """Its edges, and its keys, in their order."""
        found.write_keys(folder / "keys")
        held = np.fromfile(folder / "keys", np.uint64).reshape(-1, self.words)
        edges = [tuple(edge) for some in found.edges() for edge in some.tolist()]
        return edges, [tuple(key) for key in held.tolist()]

    def by_hand(self) -> tuple[list, list]:
        holders: dict[int, list[int]] = defaultdict(list)
        for number, held in enumerate(self.documents):
            for key in held:
                holders[key].append(number)
        edges = [(d[0], n) for _, d in sorted(holders.items()) for n in d if n != d[0]]
        return edges, [(key,) * self.words for key in sorted(holders)]


cases = st.builds(
    Case,
    st.lists(st.lists(keys, max_size=4), max_size=30),
    st.sampled_from([1, 2]),
    st.lists(st.integers(0, 30), max_size=3),
    st.sampled_from([1, 2, 5]),
)


@contextlib.contextmanager
def small(buffer: int, leaf: int) -> Iterator[Path]:
    """An empty folder, and buffers and leaves so small that all goes through files."""
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        patch.setattr(scatter, "BUFFER_BYTES", buffer)
        patch.setattr(group, "LEAF_BYTES", leaf)
        patch.setattr(link, "CHUNK", 3)
        yield Path(folder)


buffers, leaves = st.sampled_from([1, 100, 10**6]), st.sampled_from([24, 72, 10**6])


@settings(max_examples=40, deadline=None)
@example(Case([[0, 1 << 63], [1 << 63]], 1, [1], width=300), 1, 24, 1)
@given(cases, buffers, leaves, st.integers(1, 3))
def test_documents_with_a_key_in_common_are_linked(
    case: Case, buffer: int, leaf: int, threads: int
) -> None:
    """In the same order, whatever the number of jobs and threads."""
    with small(buffer, leaf) as folder:
        found = case.links(folder / "work", Threads(threads))
        assert case.read(found, folder) == case.by_hand()
        left = {path.name for path in folder.glob("work/grouped/*/*")}
        assert left == {"done", "edges.i64", "keys.u64"}, "nothing that was split is left"


@settings(max_examples=30, deadline=None)
@given(cases, leaves, st.lists(st.integers(0, 12), max_size=4))
def test_what_was_interrupted_goes_on_to_the_same(
    case: Case, leaf: int, interruptions: list[int]
) -> None:
    with small(1, leaf) as folder:
        done: set[tuple[Path, int]] = set()
        for after in interruptions:
            with contextlib.suppress(Interrupted):
                case.links(folder / "work", Interrupting(after))
            now = {(p, p.stat().st_ino) for p in folder.glob("work/*/*/done")}
            assert done <= now, "what was done is not done again"
            done = now
        found = case.links(folder / "work", Threads(1))
        assert case.read(found, folder) == case.by_hand()


def test_files_that_other_machines_do_not_see_are_missed(tmp_path: Path) -> None:
    case = Case([[1], [1], [2]], 1, [1], 2)
    with pytest.raises(Interrupted):
        case.links(tmp_path / "work", Interrupting(2))  # when all is scattered
    (tmp_path / "work/scattered/000000/00").unlink()
    with pytest.raises(HearthError, match=r"Of 3 keys .* only 2 were found"):
        case.links(tmp_path / "work", Threads(1))
    found = case.links(tmp_path / "work", Threads(1))
    assert case.read(found, tmp_path) == case.by_hand()


@given(st.integers(0, 300), st.integers(1, 300))
def test_shares_follow_each_other(count: int, width: int) -> None:
    found = scatter.shares(count, width)
    assert [i for share in found for i in share] == list(range(count))
    assert len(found) == min(count, width)
    assert len({len(share) for share in found}) <= 2
