"""Gradients that are written out, against those that autograd finds for the same equations."""

from __future__ import annotations

import pytest
import torch

from openhearth.models.norm import RMSNorm
from openhearth.models.rotate import angles_at, rotate


def random(*shape: int, seed: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).to(dtype)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("trains", [True, False])
def test_the_norm(dtype: torch.dtype, trains: bool) -> None:
    norm = RMSNorm(12, 1e-3)
    norm.weight = torch.nn.Parameter(random(12, seed=0, dtype=dtype), requires_grad=trains)
    x = random(5, 3, 12, seed=1, dtype=dtype).requires_grad_()
    outer = random(5, 3, 12, seed=2, dtype=dtype)
    wide = x.double()
    root = (wide.square().mean(-1, keepdim=True) + 1e-3).sqrt()
    expected = wide / root * norm.weight.double()
    close = {"rtol": 0.02, "atol": 0.02} if dtype == torch.bfloat16 else {}
    torch.testing.assert_close(norm(x), expected.to(dtype), **close)
    inputs = [x, norm.weight] if trains else [x]
    torch.testing.assert_close(
        torch.autograd.grad(norm(x), inputs, outer),
        torch.autograd.grad(expected, inputs, outer.double()),
        **close,
    )


@pytest.mark.parametrize("turned", [8, 6])  # the whole head, and a part of it
def test_the_rotation(turned: int) -> None:
    x, outer = random(7, 2, 8, seed=3).requires_grad_(), random(7, 2, 8, seed=4)
    cos, sin = angles_at(torch.rand(turned // 2), torch.arange(7), torch.float32)
    half = turned // 2
    first, second, rest = x[..., :half], x[..., half:turned], x[..., turned:]
    pairs = torch.complex(first, second) * torch.complex(cos, sin)
    expected = torch.cat((pairs.real, pairs.imag, rest), dim=-1)
    torch.testing.assert_close(rotate(x, cos, sin), expected)
    torch.testing.assert_close(
        torch.autograd.grad(rotate(x, cos, sin), x, outer),
        torch.autograd.grad(expected, x, outer),
    )
