"""Mamba-2's mixer: a state space that is also a product of masked matrices.

Dao & Gu 2024, arXiv:2405.21060: of the state S of a head, S[t] = exp(log[t]) S[t-1] + x[t] B[t]^T
and y[t] = S[t] C[t]. Within a chunk of tokens that is (decays * C B^T) x; between chunks only S
is passed on.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from openhearth.models.linear import Linear
from openhearth.models.mixer_config import Mamba2
from openhearth.models.mixers.causal_conv import CausalConv
from openhearth.models.mixers.chunks import decays_between, in_chunks, joined
from openhearth.models.mixers.gated_norm import GatedNorm
from openhearth.models.mixers.recurrent import RecurrentMixer, Slots, State
from openhearth.models.mixers.steps import steps_between
from openhearth.models.ragged import Ragged


class Mamba2Mixer(RecurrentMixer):
    """x [rows, width] -> [rows, width]."""

    def __init__(self, config: Mamba2, width: int, eps: float) -> None:
        super().__init__(config, width)
        self.config = config
        inner, heads = config.inner, config.heads
        self.into = Linear(width, inner + config.convolved + heads, bias=config.bias)
        self.conv = CausalConv(config.convolved, config.kernel, bias=config.conv_bias)
        self.step_bias = nn.Parameter(torch.empty(heads))
        self.A_log = nn.Parameter(torch.empty(heads))
        self.D = nn.Parameter(torch.empty(heads))
        self.gated_norm = GatedNorm(inner, inner // config.norm_groups, eps, gate_first=True)
        self.out = Linear(inner, width, bias=config.bias)

    def init_state_space(self, generator: torch.Generator) -> None:
        """Decays of 1 to 16 and steps of 0.001 to 0.1, as the authors' code has it:
        github.com/state-spaces/mamba, mamba_ssm/modules/mamba2.py."""
        with torch.no_grad():
            self.A_log.uniform_(1, 16, generator=generator).log_()
            self.D.fill_(1.0)
            self.gated_norm.weight.fill_(1.0)
            self.step_bias.copy_(steps_between(0.001, 0.1, self.config.heads, generator))

    def forward(self, x: torch.Tensor, batch: Ragged, state: Slots | None) -> torch.Tensor:
        made = self.into(x, batch)
        gate, made = made[:, : self.config.inner], made[:, self.config.inner :]
        return self.out(self.gated_norm(self.mix(made, batch, state), gate), batch)

    def scan(self, made: torch.Tensor, state: State | None) -> tuple[torch.Tensor, State]:
        c = self.config
        xbc, tail = self.conv(made[..., : c.convolved], state["tail"] if state else None)
        x, steps, logs, B, C = self._terms(xbc, made[..., c.convolved :])
        S = state["state"] if state else x.new_zeros(len(x), c.heads, c.head_dim, c.state)
        y, S = state_space(x * steps[..., None], logs, B, C, S)
        return (y + self.D[:, None] * x).flatten(-2), {"tail": tail, "state": S}

    def step(self, made: torch.Tensor, state: State) -> tuple[torch.Tensor, State]:
        c = self.config
        xbc, tail = self.conv.step(made[..., : c.convolved], state["tail"])
        x, steps, logs, B, C = self._terms(xbc, made[..., c.convolved :])
        B, C = (z.repeat_interleave(c.heads // c.groups, dim=1) for z in (B, C))
        written = (x * steps[..., None])[..., None] * B[:, :, None]
        S = logs.exp()[..., None, None] * state["state"] + written
        y = (S @ C[..., None]).squeeze(-1)
        return (y + self.D[:, None] * x).flatten(-2), {"tail": tail, "state": S}

    def _terms(self, xbc: torch.Tensor, dt: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """x [..., heads, head_dim], the sizes of the steps and the logarithms of the decays
        [..., heads], B and C [..., groups, state], all fp32."""
        c = self.config
        written = c.groups * c.state
        x, B, C = F.silu(xbc.float()).split((c.inner, written, written), dim=-1)
        B, C = (z.unflatten(-1, (c.groups, c.state)) for z in (B, C))
        steps = F.softplus(dt.float() + self.step_bias).clamp(c.least_step, c.most_step)
        return x.unflatten(-1, (c.heads, c.head_dim)), steps, -self.A_log.exp() * steps, B, C


def state_space(
    x: torch.Tensor, logs: torch.Tensor, B: torch.Tensor, C: torch.Tensor, S: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """y [texts, length, heads, p], and the state after it.

    x is [texts, length, heads, p], `logs` [texts, length, heads], B and C [texts, length, groups,
    n], S [texts, heads, p, n].
    """
    length, groups = x.shape[1], B.shape[2]
    # With the heads of a group in a dimension of their own, and then chunks and tokens.
    x, logs = (
        in_chunks(z.transpose(1, 2)).unflatten(1, (groups, -1)) for z in (x, logs[..., None])
    )
    B, C = (in_chunks(z.transpose(1, 2))[:, :, None] for z in (B, C))
    S, logs = S.unflatten(1, (groups, -1)), logs.squeeze(-1)
    between = decays_between(logs)
    inside = (C @ B.mT * between) @ x
    written = (x * between[..., -1, :, None]).mT @ B
    left = logs.sum(-1).exp()[..., None, None]
    starts = []
    for i in range(left.shape[3]):
        starts.append(S)
        S = left[:, :, :, i] * S + written[:, :, :, i]
    before = (C @ torch.stack(starts, 3).mT) * logs.cumsum(-1).exp()[..., None]
    return joined(inside + before, length).flatten(1, 2).transpose(1, 2), S.flatten(1, 2)
