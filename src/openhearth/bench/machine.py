"""On what a number was measured: without it, a number means little."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version

FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "asimd")


def describe_machine() -> str:
    """Processor, cores, memory, the vector units that matter, Python and torch, in one line."""
    parts = [
        _cpuinfo().get("model name", platform.processor() or platform.machine()),
        f"{cores()} cores",
        f"{memory() / 2**30:.0f} GiB",
        " ".join(vector_units()),
        f"Python {platform.python_version()}",
        _torch(),
    ]
    return ", ".join(part for part in parts if part)


def cores() -> int:
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def memory() -> int:
    """Bytes of physical memory."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def vector_units() -> list[str]:
    """Those of the instruction sets that matter here which the processor has."""
    info = _cpuinfo()
    flags = info.get("flags", info.get("Features", "")).split()
    return [flag for flag in FLAGS if flag in flags]


def _cpuinfo() -> dict[str, str]:
    """The first processor in /proc/cpuinfo; empty where there is none."""
    try:
        with open("/proc/cpuinfo") as file:
            first = file.read().split("\n\n", 1)[0]
    except OSError:
        return {}
    pairs = (line.partition(":") for line in first.splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs}


def _torch() -> str:
    try:
        return f"torch {version('torch')}"
    except PackageNotFoundError:
        return ""
