"""Which number type to compute in: bfloat16 only where this machine multiplies it faster.

Without hardware for it, a bfloat16 product is emulated, and several times slower than fp32.
"""

from __future__ import annotations

import time
from functools import cache

import torch

from openhearth.errors import UsageError

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
WORTH_IT = 1.2  # a smaller gain does not pay for fewer digits


def choose(name: str, device: str = "cpu") -> torch.dtype:
    """The dtype called `name`; for `auto`, the faster one on a device.

    Raises:
        UsageError: there is no such dtype.
    """
    if name == "auto":
        return torch.bfloat16 if _is_worth_it(device) else torch.float32
    if name not in DTYPES:
        raise UsageError(f"dtype is {name!r}, but must be auto, {' or '.join(DTYPES)}.")
    return DTYPES[name]


def _is_worth_it(device: str) -> bool:
    if device == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return _speedup() > WORTH_IT


@cache
def _speedup() -> float:
    """How much faster a product of the size of a small model's layer is in bfloat16."""
    return _seconds(torch.float32) / _seconds(torch.bfloat16)


def _seconds(dtype: torch.dtype) -> float:
    x, weight = torch.ones(256, 576, dtype=dtype), torch.ones(1536, 576, dtype=dtype)
    times = []
    for _ in range(8):
        start = time.perf_counter()
        torch.nn.functional.linear(x, weight)
        times.append(time.perf_counter() - start)
    return min(times)
