"""The sequence mixer of M2-BERT: Hyena that sees both ways, for encoders.

Fu et al. 2023, arXiv:2310.12109, github.com/HazyResearch/m2. After the gates comes what a second
convolution makes of the layer's input itself (the residual long convolution).
"""

from __future__ import annotations

import torch
from torch import nn

from openhearth.models.linear import Linear
from openhearth.models.mixer_config import Monarch
from openhearth.models.mixers.causal_conv import CausalConv
from openhearth.models.mixers.fft_conv import both_ways, fft_conv
from openhearth.models.mixers.implicit_filter import ImplicitFilter
from openhearth.models.ragged import Ragged


class MonarchMixer(nn.Module):
    """x [rows, width] -> [rows, width]. It belongs to encoders, and so keeps no state."""

    def __init__(self, config: Monarch, width: int, eps: float) -> None:
        super().__init__()
        self.into = Linear(width, 3 * width, bias=True)
        self.conv = CausalConv(3 * width, config.kernel, bias=True)
        self.gated = LongConv(config, width)
        self.residual = LongConv(config, width) if config.residual else None
        self.out = Linear(width, width, bias=True)

    def init_filter(self, generator: torch.Generator) -> None:
        """As `LongConv` does it."""
        self.gated.init_filter(generator)
        if self.residual is not None:
            self.residual.init_filter(generator)

    def forward(self, x: torch.Tensor, batch: Ragged, state: None) -> torch.Tensor:
        made, mixed = self.into(x, batch), torch.empty_like(x)
        for rows in batch.once("same length", lambda: _same_length(batch)):
            mixed[rows] = self._mix(made[rows], x[rows])
        return self.out(mixed, batch)

    def _mix(self, made: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """Whole texts [texts, length, ...] of one length: padding could be seen from before it."""
        first, gate, value = self.conv(made, None)[0].chunk(3, dim=-1)
        y = gate * self.gated(first * value)
        return y if self.residual is None else y + self.residual(x)


class LongConv(nn.Module):
    """x [texts, length, width] -> the same: an implicit filter each way, and a direct path."""

    def __init__(self, config: Monarch, width: int) -> None:
        super().__init__()
        self.filter = ImplicitFilter(config, width, directions=2)
        self.direct = nn.Parameter(torch.empty(width))

    def init_filter(self, generator: torch.Generator) -> None:
        """As `ImplicitFilter` does it; the direct path is as large as noise."""
        self.filter.init_filter(generator)
        with torch.no_grad():
            self.direct.normal_(generator=generator)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        wide, length = x.float(), x.shape[1]
        before, after = self.filter(length)
        y = fft_conv(wide.mT, both_ways(before, after, length)).mT
        return (y + self.direct * wide).to(x.dtype)


def _same_length(batch: Ragged) -> list[torch.Tensor]:
    """The rows of the pieces of each length, [texts, length]."""
    rows: dict[int, list[torch.Tensor]] = {}
    for span, piece in batch.spans:
        rows.setdefault(piece.length, []).append(torch.arange(span.start, span.stop))
    return [torch.stack(found) for found in rows.values()]
