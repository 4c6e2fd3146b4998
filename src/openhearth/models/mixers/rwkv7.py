"""The time mixing of RWKV-7: a memory that fades channel by channel and takes things out of itself.

Peng et al. 2025, arXiv:2503.14456, section 4. Of the memory S [key, value] of a head,
S[t] = diag(w) S[t-1] + b (a^T S[t-1]) + k v^T, and what comes out is S^T r, where a is minus the
unit vector of what is taken out, and b that vector times a rate for each channel.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import nn

from openhearth.models.linear import Linear
from openhearth.models.mixer_config import RWKV7
from openhearth.models.mixers.chunks import in_chunks, joined
from openhearth.models.mixers.recurrent import Recurrence, RecurrentMixer, Slots, State
from openhearth.models.ragged import Ragged

Activation = Callable[[torch.Tensor], torch.Tensor]

LEAST = -0.6065306597126334  # of the logarithm of a decay: -exp(-1/2)


class TimeMixing(RecurrentMixer):
    """x [rows, width] -> [rows, width]."""

    def __init__(self, config: RWKV7, width: int, eps: float) -> None:
        super().__init__(config, width)
        self.heads, inner = config.heads, config.heads * config.head_dim
        self.shift = TokenShift(width)
        # How much of the token before goes into r, the decay, k, v, the rate and the gate.
        self.before = nn.Parameter(torch.empty(6, width))
        self.r, self.k, self.v = (Linear(width, inner) for _ in range(3))
        self.decay = Thin(width, config.decay_rank, inner)
        self.rate = Thin(width, config.rate_rank, inner)
        self.gate = Thin(width, config.gate_rank, inner)
        self.decay_bias = nn.Parameter(torch.empty(inner))
        self.rate_bias = nn.Parameter(torch.empty(inner))
        self.taken_scale = nn.Parameter(torch.empty(inner))
        self.key_rate = nn.Parameter(torch.empty(inner))
        self.bonus = nn.Parameter(torch.empty(config.heads, config.head_dim))
        self.head_norm = nn.GroupNorm(config.heads, inner, eps=config.head_dim * 1e-5)
        self.out = Linear(inner, width)

    def init_state_space(self, generator: torch.Generator) -> None:
        """Fast and slow channels, as the first block has them in
        github.com/fla-org/flash-linear-attention, fla/layers/rwkv7.py."""
        inner, width = len(self.decay_bias), self.before.shape[1]
        ramp = torch.linspace(-0.5, 0.5, inner)
        zigzag = torch.linspace(-1, 1, inner // self.heads).repeat(self.heads)
        zigzag = zigzag * zigzag.abs()
        powers = torch.tensor([0.2, 0.9, 0.7, 0.7, 0.9, 0.2])[:, None]
        with torch.no_grad():
            self.before.copy_(1 - (torch.arange(width) / width) ** powers)
            self.decay_bias.copy_(6 * (ramp - 0.5) + 0.5 + 2.5 * zigzag)
            self.rate_bias.copy_(-0.19 + 0.3 * zigzag + 0.4 * ramp)
            self.taken_scale.copy_(0.71 - 0.1 * ramp)
            self.key_rate.fill_(1.02)
            self.bonus.fill_(-0.04)
            self.head_norm.reset_parameters()
            for thin in (self.decay, self.rate, self.gate):
                thin.down.weight.zero_()
                nn.init.orthogonal_(thin.up.weight, gain=0.1, generator=generator)

    def forward(self, x: torch.Tensor, batch: Ragged, state: Slots | None) -> torch.Tensor:
        made, gate = self._terms(x, batch, state)
        y = self.head_norm(self.mix(made.flatten(-3), batch, state))
        r, _, k, v, *_ = made.unbind(-3)
        y = y + ((r * k * self.bonus).sum(-1, keepdim=True) * v).flatten(-2)
        return self.out((y * gate).to(x.dtype), batch)

    def _terms(
        self, x: torch.Tensor, batch: Ragged, state: Slots | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Those of `memory` [rows, 6, heads, head_dim], and the gate [rows, inner], all fp32."""
        change = self.shift.mix(x, batch, state) - x
        xr, xw, xk, xv, xa, xg = (x + change * share.to(x.dtype) for share in self.before)
        r, k, v = self.r(xr, batch).float(), self.k(xk, batch).float(), self.v(xv, batch).float()
        w = self.decay(xw, batch, torch.tanh)
        rate = self.rate(xa, batch, lambda thin: thin)
        gate = self.gate(xg, batch, torch.sigmoid)
        rate = (rate.float() + self.rate_bias).sigmoid()
        logs = LEAST * (w.float() + self.decay_bias).sigmoid()
        taken = F.normalize((k * self.taken_scale).unflatten(-1, (self.heads, -1)), dim=-1)
        taken = taken.flatten(-2)
        k = k * (1 + (rate - 1) * self.key_rate)
        made = torch.stack((r, logs, k, v, -taken, taken * rate), dim=-2)
        return made.unflatten(-1, (self.heads, -1)), gate.float()

    def scan(self, made: torch.Tensor, state: State | None) -> tuple[torch.Tensor, State]:
        r, logs, k, v, a, b = made.unflatten(-1, (6, self.heads, -1)).unbind(-3)
        S = state["state"] if state else r.new_zeros(len(r), *self.shapes["state"])
        y, S = memory(r, logs, k, v, a, b, S)
        return y.flatten(-2), {"state": S}

    def step(self, made: torch.Tensor, state: State) -> tuple[torch.Tensor, State]:
        r, logs, k, v, a, b = made.unflatten(-1, (6, self.heads, -1)).unbind(-3)
        S = state["state"]
        said = a[..., None, :] @ S
        S = logs.exp()[..., None] * S + b[..., None] * said + k[..., None] * v[..., None, :]
        return (r[..., None, :] @ S).flatten(-3), {"state": S}


class Thin(nn.Module):
    """Two matrices with few numbers between them."""

    def __init__(self, width: int, rank: int, inner: int) -> None:
        super().__init__()
        self.down, self.up = Linear(width, rank), Linear(rank, inner)

    def forward(self, x: torch.Tensor, batch: Ragged, activation: Activation) -> torch.Tensor:
        return self.up(activation(self.down(x, batch)), batch)


class TokenShift(Recurrence):
    """Of each token the one before it, and zeros before the first."""

    def __init__(self, width: int) -> None:
        super().__init__({"last": (width,)})

    def scan(self, made: torch.Tensor, state: State | None) -> tuple[torch.Tensor, State]:
        last = state["last"] if state else torch.zeros_like(made[:, 0])
        before = torch.cat((last.to(made.dtype)[:, None], made[:, :-1]), dim=1)
        return before, {"last": made[:, -1].float()}

    def step(self, made: torch.Tensor, state: State) -> tuple[torch.Tensor, State]:
        return state["last"].to(made.dtype), {"last": made.float()}


def memory(
    r: torch.Tensor,
    logs: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    a: torch.Tensor,
    b: torch.Tensor,
    S: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor]:
    """What the memory says, [texts, length, heads, head_dim], and the memory after it.

    All but S [texts, heads, key, value] are [texts, length, heads, head_dim]; `logs` are not below
    `LEAST`. The decays between the tokens of a chunk are quotients of decays since its middle: of
    at most 64 tokens, these are between exp(-20) and exp(20), where fp32 is as exact as elsewhere.
    """
    length = r.shape[1]
    r, logs, k, v, a, b = (in_chunks(z.transpose(1, 2)) for z in (r, logs, k, v, a, b))
    since = logs.cumsum(-2)
    whole = since[..., -1:, :]
    since_middle = since - whole / 2
    asked, seen = since_middle.exp() * r, (since_middle - logs).exp() * a
    kept, put = (z * (-since_middle).exp() for z in (k, b))
    # What a token takes out contains what those before it in the chunk put in.
    known = torch.cat(((seen @ kept.mT).tril(-1) @ v, (since - logs).exp() * a), dim=-1)
    solved = torch.linalg.solve_triangular(-seen @ put.mT, known, upper=False, unitriangular=True)
    alone, said = solved.split((v.shape[-1], a.shape[-1]), dim=-1)
    to_end = (whole - since).exp()
    written, left, put_at_end = (to_end * k).mT @ v, whole.exp().mT, (to_end * b).mT
    starts, taken = [], []
    for i in range(r.shape[2]):
        starts.append(S)
        taken.append(alone[:, :, i] + said[:, :, i] @ S)
        S = left[:, :, i] * S + put_at_end[:, :, i] @ taken[-1] + written[:, :, i]
    y = since.exp() * r @ torch.stack(starts, 2) + (asked @ kept.mT).tril() @ v
    y = y + (asked @ put.mT).tril() @ torch.stack(taken, 2)
    return joined(y, length).transpose(1, 2), S
