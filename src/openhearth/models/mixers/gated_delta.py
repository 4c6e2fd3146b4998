"""Gated DeltaNet: a memory from keys to values that fades and corrects itself.

Yang et al. 2024, arXiv:2412.06464. Of the memory S [key, value] of a head: S fades to exp(log) S;
then what it says of the key k, S^T k, is moved by the share `beta` to the value v; and what comes
out is S^T q. Within a chunk of tokens, the corrections are the solution of one triangular system
(the WY form, section 3.3 there and arXiv:2406.06484); between chunks only S is passed on.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from openhearth.models.linear import Linear
from openhearth.models.mixer_config import GatedDelta
from openhearth.models.mixers.causal_conv import CausalConv
from openhearth.models.mixers.chunks import decays_between, in_chunks, joined
from openhearth.models.mixers.gated_norm import GatedNorm
from openhearth.models.mixers.recurrent import RecurrentMixer, Slots, State
from openhearth.models.mixers.steps import steps_between
from openhearth.models.ragged import Ragged


class GatedDeltaNet(RecurrentMixer):
    """x [rows, width] -> [rows, width]."""

    def __init__(self, config: GatedDelta, width: int, eps: float) -> None:
        super().__init__(config, width)
        self.config = config
        self.into = nn.ModuleDict(
            {
                parts: Linear(width, config.key_heads * sum(config.sizes[p] for p in parts))
                for parts in config.made
            }
        )
        self.conv = CausalConv(config.convolved, config.kernel, bias=False)
        self.step_bias = nn.Parameter(torch.empty(config.heads))
        self.A_log = nn.Parameter(torch.empty(config.heads))
        size = config.value_dim
        self.gated_norm = GatedNorm(size, size, config.norm_eps or eps, gate_first=False)
        self.out = Linear(config.heads * size, width)

    def init_state_space(self, generator: torch.Generator) -> None:
        """Fading by 0 to 16 times steps of 0.001 to 0.1, as the authors' code has it:
        github.com/fla-org/flash-linear-attention, fla/layers/gated_deltanet.py."""
        with torch.no_grad():
            self.A_log.uniform_(0.01, 16, generator=generator).log_()
            self.gated_norm.weight.fill_(1.0)
            self.step_bias.copy_(steps_between(0.001, 0.1, self.config.heads, generator))

    def forward(self, x: torch.Tensor, batch: Ragged, state: Slots | None) -> torch.Tensor:
        parts = self._parts(x, batch)
        y = self.mix(torch.cat([parts[p] for p in "qkvba"], dim=-1), batch, state)
        gate = parts["z"].unflatten(-1, (self.config.heads, -1))
        return self.out(self.gated_norm(y.view_as(gate), gate).flatten(-2), batch)

    def _parts(self, x: torch.Tensor, batch: Ragged) -> dict[str, torch.Tensor]:
        """Each part by its letter, [rows, numbers]."""
        found: dict[str, torch.Tensor] = {}
        for parts, matrix in self.into.items():
            y, heads = matrix(x, batch), self.config.key_heads
            sizes = [self.config.sizes[p] for p in parts]
            if self.config.matrices == "by_head":
                split = [z.flatten(-2) for z in y.unflatten(-1, (heads, -1)).split(sizes, dim=-1)]
            else:
                split = y.split([heads * size for size in sizes], dim=-1)
            found |= dict(zip(parts, split, strict=True))
        return found

    def scan(self, made: torch.Tensor, state: State | None) -> tuple[torch.Tensor, State]:
        c = self.config
        qkv, tail = self.conv(made[..., : c.convolved], state["tail"] if state else None)
        q, k, v, logs, beta = self._terms(qkv, made[..., c.convolved :])
        S = state["state"] if state else v.new_zeros(len(v), c.heads, c.key_dim, c.value_dim)
        y, S = delta_rule(q, k, v, logs, beta, S)
        return y.flatten(-2), {"tail": tail, "state": S}

    def step(self, made: torch.Tensor, state: State) -> tuple[torch.Tensor, State]:
        c = self.config
        qkv, tail = self.conv.step(made[..., : c.convolved], state["tail"])
        q, k, v, logs, beta = self._terms(qkv, made[..., c.convolved :])
        S = logs.exp()[..., None, None] * state["state"]
        said = (k[..., None, :] @ S).squeeze(-2)
        S = S + k[..., None] * (beta[..., None] * (v - said))[..., None, :]
        y = (q[..., None, :] @ S).squeeze(-2)
        return y.flatten(-2), {"tail": tail, "state": S}

    def _terms(self, qkv: torch.Tensor, ba: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Those of `delta_rule`, [..., heads, n] and [..., heads], all fp32."""
        c = self.config
        keys, shared = c.key_heads * c.key_dim, c.heads // c.key_heads
        q, k, v = F.silu(qkv.float()).split((keys, keys, c.heads * c.value_dim), dim=-1)
        q, k = (_unit(z.unflatten(-1, (c.key_heads, -1))) for z in (q, k))
        q, k = (z.repeat_interleave(shared, dim=-2) for z in (q * c.key_dim**-0.5, k))
        b, a = ba.float().chunk(2, dim=-1)
        beta = b.sigmoid() * (2 if c.negative else 1)
        logs = -self.A_log.exp() * F.softplus(a + self.step_bias)
        return q, k, v.unflatten(-1, (c.heads, -1)), logs, beta


def _unit(x: torch.Tensor) -> torch.Tensor:
    """Vectors of length one; of nothing, nothing."""
    return x * torch.rsqrt(x.square().sum(-1, keepdim=True) + 1e-6)


def delta_rule(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    logs: torch.Tensor,
    beta: torch.Tensor,
    S: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor]:
    """What the memory says, [texts, length, heads, value], and the memory after it.

    q and k are [texts, length, heads, key], v [texts, length, heads, value], `logs` and `beta`
    [texts, length, heads], S [texts, heads, key, value].
    """
    length = q.shape[1]
    q, k, v, logs, beta = (
        in_chunks(z.transpose(1, 2)) for z in (q, k, v, logs[..., None], beta[..., None])
    )
    logs = logs.squeeze(-1)
    between, since = decays_between(logs), logs.cumsum(-1).exp()[..., None]
    # A correction is beta (v - what the memory says), which the corrections before it are part of.
    learnt = beta * k
    system = learnt @ k.mT * between
    known = torch.cat((beta * v, since * learnt), dim=-1)
    solved = torch.linalg.solve_triangular(system, known, upper=False, unitriangular=True)
    alone, said = solved.split((v.shape[-1], k.shape[-1]), dim=-1)
    left, kept = since[..., -1:, :], (between[..., -1, :, None] * k).mT
    starts, corrections = [], []
    for i in range(q.shape[2]):
        starts.append(S)
        corrections.append(alone[:, :, i] - said[:, :, i] @ S)
        S = left[:, :, i] * S + kept[:, :, i] @ corrections[-1]
    before = since * q @ torch.stack(starts, 2)
    inside = (q @ k.mT * between) @ torch.stack(corrections, 2)
    return joined(before + inside, length).transpose(1, 2), S
