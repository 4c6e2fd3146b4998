"""Hyena: a convolution between two gates, with an implicit filter of up to `taps` tokens.

Poli et al. 2023, arXiv:2302.10866, of order 2. Such a filter has no small state, so decoding keeps
the gated inputs of the last `taps` - 1 tokens: exact, and as long as the filter whatever the text.
Older ones are forgotten in all forms alike. `to_modal` makes of it a layer whose state is small.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from openhearth.models.linear import Linear
from openhearth.models.mixer_config import Hyena
from openhearth.models.mixers.causal_conv import CausalConv
from openhearth.models.mixers.fft_conv import fft_conv
from openhearth.models.mixers.implicit_filter import ImplicitFilter
from openhearth.models.mixers.recurrent import RecurrentMixer, Slots, State
from openhearth.models.ragged import Ragged


class HyenaMixer(RecurrentMixer):
    """x [rows, width] -> [rows, width]."""

    def __init__(self, config: Hyena, width: int, eps: float) -> None:
        super().__init__(config, width)
        self.into = Linear(width, 3 * width, bias=True)
        self.conv = CausalConv(3 * width, config.kernel, bias=True)
        self.filter = ImplicitFilter(config, width)
        self.direct = nn.Parameter(torch.empty(width))
        self.out = Linear(width, width, bias=True)

    def init_filter(self, generator: torch.Generator) -> None:
        """As `ImplicitFilter` does it; the direct path is as large as noise."""
        self.filter.init_filter(generator)
        with torch.no_grad():
            self.direct.normal_(generator=generator)

    def forward(self, x: torch.Tensor, batch: Ragged, state: Slots | None) -> torch.Tensor:
        return self.out(self.mix(self.into(x, batch), batch, state), batch)

    def scan(self, made: torch.Tensor, state: State | None) -> tuple[torch.Tensor, State]:
        z, tail = self.conv(made, state["tail"] if state else None)
        gate, a, b = z.chunk(3, dim=-1)
        x = (a * b).float()
        past = state["inputs"] if state else x[:, :0]
        seen = torch.cat((past, x), dim=1)
        y = fft_conv(seen.mT, self.filter(seen.shape[1])[0]).mT[:, past.shape[1] :]
        kept = self.shapes["inputs"][0]
        inputs = F.pad(seen, (0, 0, kept, 0))[:, -kept:]
        return gate * (y + self.direct * x).to(gate.dtype), {"tail": tail, "inputs": inputs}

    def step(self, made: torch.Tensor, state: State) -> tuple[torch.Tensor, State]:
        z, tail = self.conv.step(made, state["tail"])
        gate, a, b = z.chunk(3, dim=-1)
        x = (a * b).float()
        seen = torch.cat((state["inputs"], x[:, None]), dim=1)
        y = (seen * self.filter(seen.shape[1])[0].flip(-1).mT).sum(1)
        out = gate * (y + self.direct * x).to(gate.dtype)
        return out, {"tail": tail, "inputs": seen[:, 1:]}
