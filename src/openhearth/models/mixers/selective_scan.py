"""Mamba's recurrence over whole texts, with a backward pass that keeps almost nothing.

For each channel c and number n of its state, h[t] = exp(dt[t] A) h[t-1] + dt[t] u[t] B[t], and
y[t] is the sum over n of C[t] h[t] (Gu & Dao 2023, arXiv:2312.00752, equations 2 and 4). The decays
differ in c and n, so that no matrix product computes it; what costs is memory traffic. So texts are
walked in chunks that fit the caches, only the states between chunks are kept for the backward pass,
and nothing is divided by a decay: it is as safe as a loop over tokens, and it is one.
"""

from __future__ import annotations

from typing import Any

import torch

CHUNK = 2**19  # numbers in each array of a chunk: 2 MiB


def selective_scan(
    u: torch.Tensor,
    dt: torch.Tensor,
    A: torch.Tensor,
    B: torch.Tensor,
    C: torch.Tensor,
    state: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor]:
    """y [texts, length, c], and the state after it.

    u and dt are [texts, length, c], A [c, n], B and C [texts, length, n], `state` [texts, c, n].
    """
    by_time = (x.transpose(0, 1).contiguous() for x in (u, dt, B, C))
    u, dt, B, C = by_time
    y, state = _Scan.apply(u, dt, A, B, C, state)
    return y.transpose(0, 1), state


class _Scan(torch.autograd.Function):
    """The same with time first."""

    @staticmethod
    def forward(
        ctx: Any,
        u: torch.Tensor,
        dt: torch.Tensor,
        A: torch.Tensor,
        B: torch.Tensor,
        C: torch.Tensor,
        state: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        y, starts = torch.empty_like(u), []
        for chunk in _chunks(len(u), state.numel()):
            starts.append(state)
            _, states = _walk(u[chunk], dt[chunk], A, B[chunk], state)
            y[chunk] = (states @ C[chunk, :, :, None]).squeeze(-1)
            state = states[-1].clone()
        ctx.save_for_backward(u, dt, A, B, C, *starts)
        return y, state

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[torch.Tensor, ...]:
        dy, dstate = grads
        u, dt, A, B, C, *starts = ctx.saved_tensors
        du, ddt, dA, dB, dC = (torch.empty_like(x) for x in (u, dt, A, B, C))
        dA.zero_()
        for chunk, start in reversed(
            list(zip(_chunks(len(u), starts[0].numel()), starts, strict=True))
        ):
            decay, states = _walk(u[chunk], dt[chunk], A, B[chunk], start)
            dC[chunk] = (dy[chunk, :, None] @ states).squeeze(2)
            grown = dy[chunk, :, :, None] * C[chunk, :, None]  # the gradients of the states
            grown[-1] += dstate
            for t in range(len(grown) - 2, -1, -1):
                grown[t].addcmul_(decay[t + 1], grown[t + 1])
            dstate = decay[0] * grown[0]
            dinput = (grown @ B[chunk, :, :, None]).squeeze(-1)
            dB[chunk] = ((u[chunk] * dt[chunk])[:, :, None] @ grown).squeeze(2)
            du[chunk] = dinput * dt[chunk]
            dlog = decay.mul_(grown)  # the gradients of dt A
            dlog[1:] *= states[:-1]
            dlog[0] *= start
            ddt[chunk] = dinput * u[chunk] + (dlog * A).sum(-1)
            dA += (dlog * dt[chunk, :, :, None]).sum((0, 1))
        return du, ddt, dA, dB, dC, dstate


def _chunks(length: int, numbers: int) -> list[slice]:
    """Ranges of tokens, each token a state of so many numbers."""
    size = max(1, CHUNK // numbers)
    return [slice(t, min(t + size, length)) for t in range(0, length, size)]


def _walk(
    u: torch.Tensor, dt: torch.Tensor, A: torch.Tensor, B: torch.Tensor, state: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """The decay and the state of each token of a chunk, [tokens, texts, c, n]."""
    decay = (dt[..., None] * A).exp_()
    states = (u * dt)[..., None] * B[:, :, None]
    for t in range(len(states)):
        state = states[t].addcmul_(decay[t], state)
    return decay, states
