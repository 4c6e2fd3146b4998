"""Cross-entropy of the rows that count, without ever holding all their logits.

`weighted_nats` finds its gradient in the forward pass, chunk by chunk, so that no logits are kept
for backward (the idea of Liger Kernel, arXiv:2410.10989). `token_nats` keeps none either, but
computes them again in backward, because there the weight of a row is known only later.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F

CHUNK = 256  # rows whose logits exist at a time


def _chunks(count: int) -> list[slice]:
    return [slice(start, start + CHUNK) for start in range(0, count, CHUNK)]


class _Gradients:
    """Of hidden states [n, width] and, if it trains, of the head [vocab, width], chunk by chunk."""

    def __init__(self, hidden: torch.Tensor, head: torch.Tensor, wants_head: bool) -> None:
        self.hidden = torch.empty_like(hidden)
        # Summed over thousands of rows, which bf16 could not.
        self.head = torch.zeros_like(head, dtype=torch.float32) if wants_head else None

    def add(
        self,
        rows: slice,
        hidden: torch.Tensor,
        head: torch.Tensor,
        probabilities: torch.Tensor,
        targets: torch.Tensor,
        weights: torch.Tensor,
    ) -> None:
        """d/dlogits of weighted nats is (softmax minus one-hot) times the weight."""
        probabilities[torch.arange(len(targets), device=targets.device), targets] -= 1.0
        errors = probabilities.mul_(weights[:, None]).to(head.dtype)
        self.hidden[rows] = errors @ head
        if self.head is not None:
            self.head += errors.T @ hidden


class WeightedNats(torch.autograd.Function):
    """The sum over rows of weight times nats, a scalar."""

    @staticmethod
    def forward(
        ctx: Any,
        hidden: torch.Tensor,
        head: torch.Tensor,
        targets: torch.Tensor,
        weights: torch.Tensor,
    ) -> torch.Tensor:
        total = torch.zeros((), dtype=torch.float32, device=hidden.device)
        learns = ctx.needs_input_grad[0]
        found = _Gradients(hidden, head, learns and ctx.needs_input_grad[1])
        for rows in _chunks(len(targets)):
            logits = F.linear(hidden[rows], head).float()
            nats = F.cross_entropy(logits, targets[rows], reduction="none")
            total += torch.dot(nats, weights[rows])
            if learns:
                of = hidden[rows], head, logits.softmax(-1), targets[rows], weights[rows]
                found.add(rows, *of)
        ctx.save_for_backward(found.hidden, found.head)
        ctx.head_dtype = head.dtype
        return total

    @staticmethod
    def backward(ctx: Any, *outer: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        hidden, head = ctx.saved_tensors
        scaled = None if head is None else (head * outer[0]).to(ctx.head_dtype)
        return hidden * outer[0].to(hidden.dtype), scaled, None, None


class TokenNats(torch.autograd.Function):
    """The nats of each row [n]."""

    @staticmethod
    def forward(
        ctx: Any, hidden: torch.Tensor, head: torch.Tensor, targets: torch.Tensor
    ) -> torch.Tensor:
        nats = torch.empty(len(targets), dtype=torch.float32, device=hidden.device)
        for rows in _chunks(len(targets)):
            logits = F.linear(hidden[rows], head).float()
            nats[rows] = F.cross_entropy(logits, targets[rows], reduction="none")
        ctx.save_for_backward(hidden, head, targets)
        return nats

    @staticmethod
    def backward(ctx: Any, *outer: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        hidden, head, targets = ctx.saved_tensors
        found = _Gradients(hidden, head, ctx.needs_input_grad[1])
        for rows in _chunks(len(targets)):
            probabilities = F.linear(hidden[rows], head).float().softmax(-1)
            found.add(rows, hidden[rows], head, probabilities, targets[rows], outer[0][rows])
        return found.hidden, None if found.head is None else found.head.to(head.dtype), None


def weighted_nats(
    hidden: torch.Tensor, head: torch.Tensor, targets: torch.Tensor, weights: torch.Tensor
) -> torch.Tensor:
    """The sum of weight times cross-entropy in nats, with a gradient for `hidden` and `head`.

    `hidden` [n, width] are the rows that predict, `head` [vocab, width], `targets` [n] token ids,
    `weights` fp32 [n], which get no gradient.
    """
    return WeightedNats.apply(hidden, head, targets, weights)


def token_nats(hidden: torch.Tensor, head: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """The cross-entropy of each row in nats, fp32 [n], likewise."""
    return TokenNats.apply(hidden, head, targets)
