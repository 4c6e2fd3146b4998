"""Cross-entropy of the rows that count, without ever holding all their logits.

The gradient is found in the forward pass, chunk by chunk, so that no logits are kept for backward
(the idea of Liger Kernel, arXiv:2410.10989). The head's own weight is frozen.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F

CHUNK = 256  # rows whose logits exist at a time


class AnswerLoss(torch.autograd.Function):
    """hidden [n, width], head [vocab, width], targets [n] -> mean nats per target, a scalar."""

    @staticmethod
    def forward(
        ctx: Any, hidden: torch.Tensor, head: torch.Tensor, targets: torch.Tensor
    ) -> torch.Tensor:
        total = torch.zeros((), dtype=torch.float32)
        gradient = torch.empty_like(hidden)
        for start in range(0, len(targets), CHUNK):
            rows = slice(start, start + CHUNK)
            logits = F.linear(hidden[rows], head).float()
            total += F.cross_entropy(logits, targets[rows], reduction="sum")
            # d/dlogits of the sum is softmax minus one-hot.
            errors = logits.softmax(-1)
            errors[torch.arange(len(errors)), targets[rows]] -= 1.0
            gradient[rows] = errors.to(head.dtype) @ head
        ctx.save_for_backward(gradient / len(targets))
        return total / len(targets)

    @staticmethod
    def backward(ctx: Any, *outer: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        (gradient,) = ctx.saved_tensors
        return gradient * outer[0].to(gradient.dtype), None, None


def answer_loss(hidden: torch.Tensor, head: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Mean cross-entropy in nats, with a gradient for `hidden`.

    `hidden` [n, width] are the rows that predict, `head` [vocab, width], `targets` [n] token ids.
    """
    return AnswerLoss.apply(hidden, head, targets)
