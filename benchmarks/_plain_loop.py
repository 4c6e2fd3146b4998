"""The plain loop of `training_pretrain.py`: a transformer and AdamW, in little PyTorch.

What nanochat and its like do on any machine: rows of tokens without regard to where documents end,
torch's fused attention, `cross_entropy` of all logits, autocast where it is faster, fused AdamW, a
rate that rises and then falls along a line, here by the time that is left.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

WARM_UP, LAST_RATE, DECAY, BETAS, CLIP = 0.05, 0.1, 0.1, (0.9, 0.95), 1.0


class Outcome(NamedTuple):
    """Of a run: seconds of its steps, tokens, and the held-out loss."""

    seconds: float
    tokens: int
    heldout: float

    @property
    def per_second(self) -> float:
        return self.tokens / self.seconds


class Block(nn.Module):
    def __init__(self, shape: Any) -> None:
        super().__init__()
        d, self.size = shape.width, shape.width // shape.heads
        self.norm1, self.norm2 = nn.RMSNorm(d), nn.RMSNorm(d)
        self.qkv = nn.Linear(d, (shape.heads + 2 * shape.kv_heads) * self.size, bias=False)
        self.o = nn.Linear(d, d, bias=False)
        self.gate_up = nn.Linear(d, 2 * shape.hidden, bias=False)
        self.down = nn.Linear(shape.hidden, d, bias=False)
        self.heads = [shape.heads, shape.kv_heads, shape.kv_heads]

    def forward(self, x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
        rows, length, width = x.shape
        qkv = self.qkv(self.norm1(x)).view(rows, length, -1, self.size).transpose(1, 2)
        q, k, v = qkv.split(self.heads, dim=1)
        q, k = turned(q, cos, sin), turned(k, cos, sin)
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
        x = x + self.o(mixed.transpose(1, 2).reshape(rows, length, width))
        gate, up = self.gate_up(self.norm2(x)).chunk(2, dim=-1)
        return x + self.down(F.silu(gate) * up)


def turned(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    a, b = x.chunk(2, dim=-1)
    return torch.cat((a * cos - b * sin, b * cos + a * sin), dim=-1).to(x.dtype)


class Plain(nn.Module):
    def __init__(self, shape: Any) -> None:
        super().__init__()
        self.embed = nn.Embedding(shape.vocabulary, shape.width)
        self.blocks = nn.ModuleList(Block(shape) for _ in range(shape.depth))
        self.norm = nn.RMSNorm(shape.width)
        self.size = shape.width // shape.heads
        for name, weight in self.named_parameters():
            if weight.dim() == 2:
                adds = name.endswith(("o.weight", "down.weight"))
                nn.init.normal_(weight, 0, 0.02 / (2 * shape.depth) ** 0.5 if adds else 0.02)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        steps = 10000.0 ** (-torch.arange(0, self.size, 2) / self.size)
        angles = torch.arange(ids.shape[1])[:, None] * steps
        x = self.embed(ids)
        for block in self.blocks:
            x = block(x, angles.cos(), angles.sin())
        return F.linear(self.norm(x), self.embed.weight)


def train(
    shape: Any, folder: Path, batch: int, seconds: float, rate: float, narrow: bool
) -> Outcome:
    """Train a new model for so many seconds."""
    torch.manual_seed(0)
    model, rows = Plain(shape), np.load(folder / "train.npy", mmap_mode="r")
    matrices = [p for p in model.parameters() if p.dim() == 2]
    rest = [p for p in model.parameters() if p.dim() < 2]
    groups = [{"params": matrices, "weight_decay": DECAY}, {"params": rest, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=rate, betas=BETAS, fused=True)
    start, tokens = time.perf_counter(), 0
    for ids in batches(rows, batch):
        done = (time.perf_counter() - start) / seconds
        if done >= 1:
            break
        height = min(done / WARM_UP + 0.01, 1.0) * (1 - (1 - LAST_RATE) * done)
        for group in optimizer.param_groups:
            group["lr"] = rate * height
        nats(model, ids, narrow).mean().backward()
        nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        optimizer.step()
        optimizer.zero_grad()
        tokens += ids.numel()
    return Outcome(time.perf_counter() - start, tokens, heldout(model, folder))


def batches(rows: np.ndarray, batch: int) -> Iterator[torch.Tensor]:
    """Steps of so many tokens, again from the first row when they are used up."""
    many, at = batch // rows.shape[1], 0
    while True:
        if at + many > len(rows):
            at = 0
        yield torch.from_numpy(rows[at : at + many].astype(np.int64))
        at += many


def nats(model: Plain, ids: torch.Tensor, narrow: bool) -> torch.Tensor:
    """Of each token but the first, [rows, length - 1]."""
    context = torch.autocast("cpu", torch.bfloat16) if narrow else contextlib.nullcontext()
    with context:
        logits = model(ids)[:, :-1]
    return F.cross_entropy(logits.flatten(0, 1).float(), ids[:, 1:].flatten(), reduction="none")


@torch.no_grad()
def heldout(model: Plain, folder: Path) -> float:
    """Mean nats of the tokens that count, of rows as it has learnt them."""
    rows, counts = np.load(folder / "heldout.npy"), np.load(folder / "counts.npy")
    total = 0.0
    for row, counted in zip(rows, counts, strict=True):
        each = nats(model, torch.from_numpy(row.astype(np.int64))[None], narrow=False)
        total += each[torch.from_numpy(counted[1:])].sum().item()
    return float(total / counts[:, 1:].sum())
