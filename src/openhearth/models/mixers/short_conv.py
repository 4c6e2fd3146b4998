"""The gated short convolution of LFM2: the cheapest mixer, which remembers a few tokens only."""

from __future__ import annotations

import torch

from openhearth.models.linear import Linear
from openhearth.models.mixer_config import ShortConv
from openhearth.models.mixers.causal_conv import CausalConv
from openhearth.models.mixers.recurrent import RecurrentMixer, Slots, State
from openhearth.models.ragged import Ragged


class GatedShortConv(RecurrentMixer):
    """x [rows, width] -> [rows, width]."""

    def __init__(self, config: ShortConv, width: int, eps: float) -> None:
        super().__init__(config, width)
        self.into = Linear(width, 3 * width, bias=config.bias)
        self.conv = CausalConv(width, config.kernel, bias=config.bias)
        self.out = Linear(width, width, bias=config.bias)

    def forward(self, x: torch.Tensor, batch: Ragged, state: Slots | None) -> torch.Tensor:
        return self.out(self.mix(self.into(x, batch), batch, state), batch)

    def scan(self, made: torch.Tensor, state: State | None) -> tuple[torch.Tensor, State]:
        before, after, x = made.chunk(3, dim=-1)
        y, tail = self.conv(before * x, state["tail"] if state else None)
        return after * y, {"tail": tail}

    def step(self, made: torch.Tensor, state: State) -> tuple[torch.Tensor, State]:
        before, after, x = made.chunk(3, dim=-1)
        y, tail = self.conv.step(before * x, state["tail"])
        return after * y, {"tail": tail}
