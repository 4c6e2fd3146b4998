"""Memory that is freed while a run goes on stays with the process, and goes back when it ends."""

from __future__ import annotations

import platform
import resource
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from typing import TypeVar

import pytest
import torch

from openhearth.training.allocator import kept_memory

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc is told")
T = TypeVar("T")
PAGE = resource.getpagesize()
SIZE = 64 * 2**20  # more than glibc ever keeps by itself


def touch(size: int = SIZE) -> None:
    torch.ones(size, dtype=torch.uint8)


def faults(work: Callable[[], None]) -> int:
    """How many pages the system hands out meanwhile."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    work()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def resident() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * PAGE


def faults_of_taking_again() -> int:
    # Aligned blocks need some room, so that a hole fits a smaller one only.
    with kept_memory():
        touch()
        return faults(partial(touch, SIZE // 2))


def kept_and_left() -> tuple[int, int]:
    with kept_memory():
        touch()
        kept = resident()
    return kept, resident()


def alone(work: Callable[[], T]) -> T:
    """In a process of its own: one that has done much has other holes, without pages in them."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        return process.submit(work).result()


def test_memory_that_is_taken_again_needs_no_new_pages() -> None:
    assert alone(faults_of_taking_again) < SIZE / PAGE / 10


def test_the_end_gives_back_what_was_kept() -> None:
    kept, left = alone(kept_and_left)
    assert left < kept - SIZE / 2
