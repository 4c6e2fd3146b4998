"""From hidden states to logits: what a model's head computes, as plain tensors.

A loss that never holds all logits needs the parts of the head rather than the head.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F


def wide(dtype: torch.dtype) -> torch.dtype:
    """The dtype for sums and exponentials of numbers of this one: at least fp32."""
    return torch.promote_types(dtype, torch.float32)


class Unembedding(NamedTuple):
    """`weight` [vocab_size, width], `bias` [vocab_size] if there is one (Phi), and `cap`: with it,
    a logit l becomes cap * tanh(l / cap) (Gemma 2, arXiv:2408.00118).
    """

    weight: torch.Tensor
    bias: torch.Tensor | None = None
    cap: float | None = None

    def logits(self, hidden: torch.Tensor) -> torch.Tensor:
        """Hidden states [n, width] -> logits [n, vocab_size], at least fp32."""
        return self.capped(F.linear(hidden, self.weight, self.bias))

    def capped(self, products: torch.Tensor) -> torch.Tensor:
        """What the matrix makes of hidden states -> logits, at least fp32."""
        logits = products.to(wide(products.dtype))
        return logits if self.cap is None else (logits / self.cap).tanh() * self.cap
