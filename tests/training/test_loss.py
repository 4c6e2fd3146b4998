"""The fused losses against torch's own, values and gradients of hidden states and of the head."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from openhearth.models.unembedding import Unembedding
from openhearth.training import loss
from openhearth.training.loss import token_nats, weighted_nats

HEADS = {
    "plain": (False, None),
    "biased": (True, None),
    "capped": (False, 1.5),
    "biased and capped": (True, 30.0),
}


def made(
    rows: int, seed: int, head: str, dtype: torch.dtype = torch.float32
) -> tuple[torch.Tensor, Unembedding, torch.Tensor, torch.Tensor]:
    """Hidden states, a head, targets and weights of random numbers."""
    generator = torch.Generator().manual_seed(seed)
    biased, cap = HEADS[head]
    weight, bias = (
        torch.randn(*size, generator=generator, dtype=dtype) for size in ((30, 8), (30,))
    )
    hidden = torch.randn(rows, 8, generator=generator, dtype=dtype).requires_grad_()
    unembedding = Unembedding(
        weight.requires_grad_(), bias.requires_grad_() if biased else None, cap
    )
    targets = torch.randint(0, 30, (rows,), generator=generator)
    return hidden, unembedding, targets, torch.rand(rows, generator=generator, dtype=dtype)


def plain_nats(hidden: torch.Tensor, head: Unembedding, targets: torch.Tensor) -> torch.Tensor:
    logits = hidden @ head.weight.T
    if head.bias is not None:
        logits = logits + head.bias
    if head.cap is not None:
        logits = head.cap * torch.tanh(logits / head.cap)
    return F.cross_entropy(logits, targets, reduction="none")


@given(
    rows=st.integers(1, 20),
    seed=st.integers(0, 1000),
    scale=st.floats(0.1, 10),
    kind=st.sampled_from(sorted(HEADS)),
)
@settings(max_examples=40)
def test_values_and_gradients_are_those_of_cross_entropy(
    rows: int, seed: int, scale: float, kind: str
) -> None:
    hidden, head, targets, weights = made(rows, seed, kind)
    learns = [tensor for tensor in (hidden, head.weight, head.bias) if tensor is not None]
    with pytest.MonkeyPatch.context() as patch:
        # So that there are several chunks, the last one short.
        patch.setattr(loss, "rows_at_once", lambda device, vocab_size: 7)
        summed = weighted_nats(hidden, head, targets, weights)
        each = token_nats(hidden, head, targets)
        mine = torch.autograd.grad(scale * summed, learns)
        apart = torch.autograd.grad(each, learns, scale * weights)
    nats = plain_nats(hidden, head, targets)
    theirs = torch.autograd.grad(scale * nats, learns, weights)
    torch.testing.assert_close(each, nats)
    torch.testing.assert_close(summed, nats @ weights)
    torch.testing.assert_close(mine, theirs)
    torch.testing.assert_close(apart, theirs)


@pytest.mark.parametrize("kind", HEADS)
def test_gradients_are_the_slopes_of_the_values(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By differences, in float64."""
    monkeypatch.setattr(loss, "rows_at_once", lambda device, vocab_size: 3)
    hidden, (weight, bias, cap), targets, weights = made(5, 0, kind, torch.float64)

    def both(hidden: torch.Tensor, weight: torch.Tensor, *bias: torch.Tensor) -> tuple[object, ...]:
        head = Unembedding(weight, bias[0] if bias else None, cap)
        return weighted_nats(hidden, head, targets, weights), token_nats(hidden, head, targets)

    assert torch.autograd.gradcheck(both, (hidden, weight, *([] if bias is None else [bias])))


@pytest.mark.parametrize("kind", HEADS)
def test_a_frozen_head_gets_no_gradient(kind: str) -> None:
    hidden, (weight, bias, cap), targets, weights = made(3, 0, kind)
    frozen = Unembedding(weight.detach(), None if bias is None else bias.detach(), cap)
    weighted_nats(hidden, frozen, targets, weights).backward()
    expected = torch.autograd.grad(plain_nats(hidden, frozen, targets) @ weights, hidden)[0]
    torch.testing.assert_close(hidden.grad, expected)
    assert frozen.weight.grad is None


def test_what_is_only_measured_needs_no_gradient() -> None:
    hidden, head, targets, weights = made(3, 0, "biased and capped")
    with torch.no_grad():
        value = weighted_nats(hidden, head, targets, weights)
    assert not value.requires_grad
