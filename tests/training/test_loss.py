"""The fused losses against torch's own, values and gradients of hidden states and of the head."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from openhearth.training import loss
from openhearth.training.loss import token_nats, weighted_nats


@given(rows=st.integers(1, 20), seed=st.integers(0, 1000), scale=st.floats(0.1, 10))
@settings(max_examples=30)
def test_values_and_gradients_are_those_of_cross_entropy(
    rows: int, seed: int, scale: float
) -> None:
    generator = torch.Generator().manual_seed(seed)
    hidden = torch.randn(rows, 8, generator=generator).requires_grad_()
    head = torch.randn(30, 8, generator=generator).requires_grad_()
    targets = torch.randint(0, 30, (rows,), generator=generator)
    weights = torch.rand(rows, generator=generator)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loss, "CHUNK", 7)  # so that there are several chunks, the last one short
        summed = weighted_nats(hidden, head, targets, weights)
        each = token_nats(hidden, head, targets)
        mine = torch.autograd.grad(scale * summed, (hidden, head))
        apart = torch.autograd.grad(each, (hidden, head), scale * weights)
    nats = F.cross_entropy(hidden @ head.T, targets, reduction="none")
    theirs = torch.autograd.grad(scale * nats, (hidden, head), weights)
    torch.testing.assert_close(each, nats)
    torch.testing.assert_close(summed, nats @ weights)
    torch.testing.assert_close(mine, theirs)
    torch.testing.assert_close(apart, theirs)


def test_a_frozen_head_gets_no_gradient() -> None:
    hidden, head = torch.randn(3, 8).requires_grad_(), torch.randn(30, 8)
    weighted_nats(hidden, head, torch.arange(3), torch.ones(3)).backward()
    assert hidden.grad is not None
    assert head.grad is None


def test_what_is_only_measured_needs_no_gradient() -> None:
    head = torch.nn.Parameter(torch.randn(30, 8))
    with torch.no_grad():
        value = weighted_nats(torch.randn(3, 8), head, torch.arange(3), torch.ones(3))
    assert not value.requires_grad
