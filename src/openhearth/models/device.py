"""Where torch computes: on a GPU where there is one, else on the processor."""

from __future__ import annotations

import ctypes
from contextlib import AbstractContextManager, nullcontext
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def best_device() -> str:
    """`cuda` or `cpu`. Torch, whose import takes a second, is asked only where there is a driver.

    `CUDA_VISIBLE_DEVICES=` hides the GPU from us as from all others.
    """
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        return "cpu"
    if find_spec("torch") is None:
        return "cpu"
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def making_on(device: torch.device) -> AbstractContextManager[object]:
    """Within it, tensors that are made for no device are made on this one. It costs each call of
    torch some microseconds, so that where they are made anyway it is nothing.
    """
    return nullcontext() if device.type == "cpu" else device
