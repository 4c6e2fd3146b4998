"""Threads: results in order, few in memory, errors where they happened."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openhearth.data.executors import Threads, default_threads


@given(st.lists(st.integers(0, 3), max_size=30), st.integers(1, 4))
def test_results_come_in_the_order_of_their_items(delays: list[int], threads: int) -> None:
    def work(item: tuple[int, int]) -> int:
        time.sleep(item[1] / 5000)
        return item[0]

    assert list(Threads(threads).map(work, enumerate(delays))) == list(range(len(delays)))


def test_few_items_are_in_memory() -> None:
    taken = done = most = 0
    lock = threading.Lock()

    def items() -> Iterator[int]:
        nonlocal taken, most
        for i in range(200):
            with lock:
                taken += 1
                most = max(most, taken - done)
            yield i

    def work(item: int) -> int:
        return item

    for _ in Threads(3).map(work, items()):
        with lock:
            done += 1
    assert most <= 2 * 3 + 2


def test_what_work_raises_is_raised_and_the_rest_is_left() -> None:
    began = []

    def work(item: int) -> int:
        began.append(item)
        if item == 5:
            raise ValueError("five")
        return item

    with pytest.raises(ValueError, match="five"):
        list(Threads(2).map(work, range(1000)))
    assert len(began) < 100


def test_there_is_at_least_one_thread() -> None:
    assert default_threads() >= 1
    assert Threads().count == default_threads()
