"""What the machine is."""

from __future__ import annotations

import os
import platform

from openhearth.bench import describe_machine
from openhearth.bench.machine import cores, memory, vector_units


def test_the_machine_in_one_line() -> None:
    line = describe_machine()
    assert "\n" not in line
    for part in (f"{cores()} cores", f"Python {platform.python_version()}", *vector_units()):
        assert part in line


def test_cores_and_memory_are_those_of_the_kernel() -> None:
    assert 1 <= cores() <= (os.cpu_count() or 1)
    with open("/proc/meminfo") as file:
        total = int(file.readline().split()[1]) * 1024
    assert memory() == total


def test_a_subset_of_cores_is_noticed() -> None:
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        assert cores() == 1
    finally:
        os.sched_setaffinity(0, before)
