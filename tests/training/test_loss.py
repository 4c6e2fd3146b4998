"""The fused loss against torch's own, value and gradient."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from openhearth.training import loss
from openhearth.training.loss import answer_loss


@given(rows=st.integers(1, 20), seed=st.integers(0, 1000), scale=st.floats(0.1, 10))
@settings(max_examples=30, deadline=None)
def test_value_and_gradient_are_those_of_cross_entropy(rows: int, seed: int, scale: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    hidden = torch.randn(rows, 8, generator=generator).requires_grad_()
    head = torch.randn(30, 8, generator=generator)
    targets = torch.randint(0, 30, (rows,), generator=generator)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loss, "CHUNK", 7)  # so that there are several chunks, the last one short
        mine = answer_loss(hidden, head, targets)
    (my_gradient,) = torch.autograd.grad(scale * mine, hidden)
    theirs = F.cross_entropy(hidden @ head.T, targets)
    (their_gradient,) = torch.autograd.grad(scale * theirs, hidden)
    torch.testing.assert_close(mine, theirs)
    torch.testing.assert_close(my_gradient, their_gradient)
