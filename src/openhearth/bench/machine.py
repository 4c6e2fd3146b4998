"""On what a number was measured: without it, a number means little."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version

FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "asimd")


def describe_machine() -> str:
    """Processor, cores, memory, the vector units that matter, Python and torch, in one line."""
    info = _cpuinfo()
    flags = set(info.get("flags", info.get("Features", "")).split())
    vectors = " ".join(flag for flag in FLAGS if flag in flags)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    parts = [
        info.get("model name", platform.processor() or platform.machine()),
        f"{cores} cores",
        f"{memory:.0f} GiB",
        vectors,
        f"Python {platform.python_version()}",
        _torch(),
    ]
    return ", ".join(part for part in parts if part)


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
