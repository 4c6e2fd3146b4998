"""Attention inside pieces of any lengths in one call, by FlashAttention: for a GPU, in 16 bits.

Dao 2023, arXiv:2307.08691.
"""

from __future__ import annotations

from itertools import accumulate

import torch

from openhearth.models.mixer_config import Attention
from openhearth.models.ragged import Ragged

try:
    from torch.nn.attention import varlen
except ImportError:  # of torch before 2.10
    varlen = None  # type: ignore[assignment]

WIDEST = 256  # numbers of a head


def pays(q: torch.Tensor) -> bool:
    """Whether there is a kernel for these queries [rows, heads, d]."""
    narrow = q.dtype in (torch.bfloat16, torch.float16)
    d = q.shape[-1]
    return q.is_cuda and narrow and d % 8 == 0 and d <= WIDEST and varlen is not None


def attend(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, batch: Ragged, config: Attention
) -> torch.Tensor:
    """q [rows, heads, d], k and v [rows, kv_heads, d] of whole pieces -> [rows, heads, d]."""
    starts, longest = batch.once("varlen", lambda: _pieces(batch, q.device))
    back = -1 if config.window is None else config.window - 1
    shared = config.heads // config.kv_heads
    mixed = varlen.varlen_attn(
        q,
        k.repeat_interleave(shared, 1),
        v.repeat_interleave(shared, 1),
        starts,
        starts,
        longest,
        longest,
        scale=config.scale,
        window_size=(back, 0 if config.causal else back),
    )
    assert isinstance(mixed, torch.Tensor)
    return mixed


def _pieces(batch: Ragged, device: torch.device) -> tuple[torch.Tensor, int]:
    """Where each piece begins, and the last ends, int32 [pieces + 1]; and the longest one."""
    lengths = [piece.length for piece in batch.pieces]
    starts = torch.tensor([0, *accumulate(lengths)], dtype=torch.int32, device=device)
    return starts, max(lengths)
