"""Mamba's mixer: a convolution, then a state space whose steps the tokens choose.

Gu & Dao 2023, arXiv:2312.00752; with norms inside as in Jamba (Lieber et al. 2024,
arXiv:2403.19887).
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import nn

from openhearth.models.linear import Linear
from openhearth.models.mixer_config import Mamba
from openhearth.models.mixers.causal_conv import CausalConv
from openhearth.models.mixers.recurrent import Recurrence, RecurrentMixer, Slots, State
from openhearth.models.mixers.selective_scan import selective_scan
from openhearth.models.mixers.steps import steps_between
from openhearth.models.norm import RMSNorm
from openhearth.models.ragged import Ragged


class MambaMixer(RecurrentMixer):
    """x [rows, width] -> [rows, width]."""

    def __init__(self, config: Mamba, width: int, eps: float) -> None:
        super().__init__(config, width)
        self.sizes = (config.step_rank, config.state, config.state)
        self.into = Linear(width, 2 * config.inner, bias=config.bias)
        self.recent = Recent(config)
        self.choose = Linear(config.inner, sum(self.sizes))
        self.norms = nn.ModuleList(
            RMSNorm(n, eps) if config.norms else nn.Identity() for n in self.sizes
        )
        self.step_size = Linear(config.step_rank, config.inner)
        self.step_bias = nn.Parameter(torch.empty(config.inner))
        self.A_log = nn.Parameter(torch.empty(config.inner, config.state))
        self.D = nn.Parameter(torch.empty(config.inner))
        self.out = Linear(config.inner, width, bias=config.bias)

    def init_state_space(self, generator: torch.Generator) -> None:
        """Decays of 1 to `state` (S4D-real) and steps of 0.001 to 0.1, as the authors' code has it:
        github.com/state-spaces/mamba, mamba_ssm/modules/mamba_simple.py."""
        inner, state = self.A_log.shape
        with torch.no_grad():
            self.A_log.copy_(torch.arange(1, state + 1).float().log().expand(inner, -1))
            self.D.fill_(1.0)
            bound = 1 / math.sqrt(self.step_size.weight.shape[1])
            self.step_size.weight.uniform_(-bound, bound, generator=generator)
            self.step_bias.copy_(steps_between(0.001, 0.1, inner, generator))

    def forward(self, x: torch.Tensor, batch: Ragged, state: Slots | None) -> torch.Tensor:
        u, gate = self.into(x, batch).chunk(2, dim=-1)
        u = self.recent.mix(u, batch, state)
        chosen = self.choose(u, batch).split(self.sizes, dim=-1)
        step, *write_and_read = (norm(c) for norm, c in zip(self.norms, chosen, strict=True))
        made = torch.cat((u, self.step_size(step, batch), *write_and_read), dim=-1)
        return self.out(self.mix(made, batch, state) * F.silu(gate), batch)

    def scan(self, made: torch.Tensor, state: State | None) -> tuple[torch.Tensor, State]:
        u, dt, A, B, C = self._terms(made)
        h = state["state"] if state else u.new_zeros(len(u), *A.shape)
        y, h = selective_scan(u, dt, A, B, C, h)
        return (y + self.D * u).to(made.dtype), {"state": h}

    def step(self, made: torch.Tensor, state: State) -> tuple[torch.Tensor, State]:
        u, dt, A, B, C = self._terms(made)
        h = (dt[..., None] * A).exp() * state["state"] + (dt * u)[..., None] * B[:, None]
        y = (h @ C[..., None]).squeeze(-1)
        return (y + self.D * u).to(made.dtype), {"state": h}

    def _terms(self, made: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """u, dt, A, B and C of the recurrence (see `selective_scan`), all fp32."""
        inner, numbers = self.A_log.shape
        u, dt, B, C = made.float().split((inner, inner, numbers, numbers), dim=-1)
        return u, F.softplus(dt + self.step_bias), -self.A_log.exp(), B, C


class Recent(Recurrence):
    """Of each channel the last tokens through a filter, and SiLU of that."""

    def __init__(self, config: Mamba) -> None:
        super().__init__({"tail": (config.kernel - 1, config.inner)})
        self.conv = CausalConv(config.inner, config.kernel, bias=config.conv_bias)

    def scan(self, made: torch.Tensor, state: State | None) -> tuple[torch.Tensor, State]:
        y, tail = self.conv(made, state["tail"] if state else None)
        return F.silu(y), {"tail": tail}

    def step(self, made: torch.Tensor, state: State) -> tuple[torch.Tensor, State]:
        y, tail = self.conv.step(made, state["tail"])
        return F.silu(y), {"tail": tail}
