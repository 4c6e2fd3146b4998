"""Cross-entropy of the rows that count, without ever holding all their logits.

`weighted_nats` finds its gradient in the forward pass, chunk by chunk, so that no logits are kept
for backward (the idea of Liger Kernel, arXiv:2410.10989). `token_nats` keeps none either, but
computes them again in backward, because there the weight of a row is known only later.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F

from openhearth.models import fused
from openhearth.models.unembedding import Unembedding, wide

Gradients = tuple[torch.Tensor | None, ...]

LOGITS_AT_ONCE = 2**23  # of a processor, in bf16 16 MB


def rows_at_once(device: torch.device, vocab_size: int) -> int:
    """How many rows' logits exist at a time: for a processor as many as its caches like."""
    return max(32, LOGITS_AT_ONCE // vocab_size) if device.type == "cpu" else 4096


def _chunks(targets: torch.Tensor, head: Unembedding) -> list[slice]:
    size = rows_at_once(targets.device, len(head.weight))
    return [slice(start, start + size) for start in range(0, len(targets), size)]


def _scored(
    hidden: torch.Tensor, head: Unembedding, targets: torch.Tensor, weights: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """The nats of rows, and d/dlogits of these weighted, in the head's dtype: softmax minus one-hot
    times the weight; where a logit is c * tanh(l / c), that times 1 - tanh² is d/dl.
    """
    products = F.linear(hidden, head.weight, head.bias)
    if head.cap is None and fused.serve(products):
        return fused.nats(products, targets, weights), products
    logits = head.capped(products)
    errors = logits.log_softmax(-1)
    nats = F.nll_loss(errors, targets, reduction="none")
    errors.exp_()[torch.arange(len(targets), device=targets.device), targets] -= 1.0
    errors *= weights[:, None]
    if head.cap is not None:
        errors *= logits.div_(head.cap).square_().neg_().add_(1.0)
    return nats, errors.to(head.weight.dtype)


class _Gradients:
    """Of hidden states [n, width] and, if they train, of the head's weight [vocab, width] and bias
    [vocab], chunk by chunk.
    """

    def __init__(self, hidden: torch.Tensor, head: Unembedding, trains: tuple[bool, bool]) -> None:
        self._head = head
        self.hidden = torch.empty_like(hidden)
        self.weight = _sums_for(head.weight, trains[0])
        self.bias = _sums_for(head.bias, trains[1])

    def add(self, rows: slice, hidden: torch.Tensor, errors: torch.Tensor) -> None:
        """What some rows give, of which `_scored` told the errors."""
        self.hidden[rows] = errors @ self._head.weight
        if self.weight is not None:
            fused.add(errors.T @ hidden, self.weight)
        if self.bias is not None:
            self.bias += errors.sum(0, dtype=self.bias.dtype)

    @property
    def all(self) -> Gradients:
        return self.hidden, self.weight, self.bias


def _sums_for(weight: torch.Tensor | None, trains: bool) -> torch.Tensor | None:
    """Zeros for sums over thousands of rows, which bf16 could not hold."""
    if weight is None or not trains:
        return None
    return torch.zeros_like(weight, dtype=wide(weight.dtype))


class WeightedNats(torch.autograd.Function):
    """The sum over rows of weight times nats, a scalar."""

    @staticmethod
    def forward(
        ctx: Any,
        hidden: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        cap: float | None,
        targets: torch.Tensor,
        weights: torch.Tensor,
    ) -> torch.Tensor:
        head = Unembedding(weight, bias, cap)
        total = torch.zeros((), dtype=wide(hidden.dtype), device=hidden.device)
        learns, *trains = ctx.needs_input_grad[:3]
        found = _Gradients(hidden, head, (learns and trains[0], learns and trains[1]))
        for rows in _chunks(targets, head):
            nats, errors = _scored(hidden[rows], head, targets[rows], weights[rows])
            total += torch.dot(nats, weights[rows])
            if learns:
                found.add(rows, hidden[rows], errors)
        ctx.save_for_backward(*found.all)
        ctx.dtype = weight.dtype
        return total

    @staticmethod
    def backward(ctx: Any, *outer: torch.Tensor) -> Gradients:
        scaled = [None if g is None else (g * outer[0]).to(ctx.dtype) for g in ctx.saved_tensors]
        return *scaled, None, None, None


class TokenNats(torch.autograd.Function):
    """The nats of each row [n]."""

    @staticmethod
    def forward(
        ctx: Any,
        hidden: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        cap: float | None,
        targets: torch.Tensor,
    ) -> torch.Tensor:
        head = Unembedding(weight, bias, cap)
        nats = torch.empty(len(targets), dtype=wide(hidden.dtype), device=hidden.device)
        for rows in _chunks(targets, head):
            one = torch.ones_like(nats[rows])
            nats[rows], _ = _scored(hidden[rows], head, targets[rows], one)
        ctx.save_for_backward(hidden, weight, bias, targets)
        ctx.cap = cap
        return nats

    @staticmethod
    def backward(ctx: Any, *outer: torch.Tensor) -> Gradients:
        hidden, weight, bias, targets = ctx.saved_tensors
        head = Unembedding(weight, bias, ctx.cap)
        found = _Gradients(hidden, head, ctx.needs_input_grad[1:3])
        for rows in _chunks(targets, head):
            _, errors = _scored(hidden[rows], head, targets[rows], outer[0][rows])
            found.add(rows, hidden[rows], errors)
        narrow = [None if g is None else g.to(weight.dtype) for g in found.all]
        return *narrow, None, None


def weighted_nats(
    hidden: torch.Tensor, head: Unembedding, targets: torch.Tensor, weights: torch.Tensor
) -> torch.Tensor:
    """The sum of weight times cross-entropy in nats, with a gradient for `hidden` and `head`.

    `hidden` [n, width] are the rows that predict, `targets` [n] token ids, `weights` [n], at least
    fp32, which get no gradient.
    """
    return WeightedNats.apply(hidden, *head, targets, weights)


def token_nats(hidden: torch.Tensor, head: Unembedding, targets: torch.Tensor) -> torch.Tensor:
    """The cross-entropy of each row in nats, at least fp32 [n], likewise."""
    return TokenNats.apply(hidden, *head, targets)
