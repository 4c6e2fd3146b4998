"""The gated convolution of StripedHyena: a filter as long as the text, and a state of one size.

Together 2023, github.com/togethercomputer/stripedhyena. gate * (h conv (a * b) + D * a * b), where
gate, a and b come out of a short convolution, and h is a sum of modes (see `modal`).
"""

from __future__ import annotations

import math

import torch
from torch import nn

from openhearth.errors import UsageError
from openhearth.models.linear import Linear
from openhearth.models.mixer_config import GatedConv
from openhearth.models.mixers.causal_conv import CausalConv
from openhearth.models.mixers.fft_conv import fft_conv
from openhearth.models.mixers.modal import leftover, power, response
from openhearth.models.mixers.recurrent import RecurrentMixer, Slots, State
from openhearth.models.ragged import Ragged

SLOWEST = 1000.0  # tokens after which a fresh filter's slowest mode has faded to 1/e


class ModalGatedConv(RecurrentMixer):
    """x [rows, width] -> [rows, width].

    `poles` and `residues` are complex, as StripedHyena's files have them: [width, modes, 1, 2].
    """

    def __init__(self, config: GatedConv, width: int, eps: float) -> None:
        super().__init__(config, width)
        if width % config.heads:
            raise UsageError(
                f"gated_conv: {config.heads} heads do not divide a width of {width} evenly."
            )
        self.heads = config.heads
        self.into = Linear(width, 3 * width, bias=config.bias)
        self.conv = CausalConv(3 * width, config.kernel, bias=config.bias)
        self.poles = nn.Parameter(torch.empty(width, config.modes, 1, 2))
        self.residues = nn.Parameter(torch.empty(width, config.modes, 1, 2))
        self.direct = nn.Parameter(torch.empty(width))
        self.out = Linear(width, width, bias=config.bias)

    def init_filter(self, generator: torch.Generator) -> None:
        """Modes that fade to 1/e within 1 to `SLOWEST` tokens, all as likely on a logarithmic
        scale, and turn by any angle; of noise of variance one they make as much again."""
        with torch.no_grad():
            draw = torch.empty(2, *self.poles.shape[:-1]).uniform_(generator=generator)
            radius = (-(SLOWEST ** -draw[0])).exp()
            angle = math.pi * draw[1]
            self.poles.copy_(torch.stack((radius * angle.cos(), radius * angle.sin()), dim=-1))
            size = ((1 - radius.square()) / self.poles.shape[1]).sqrt()
            self.residues.normal_(generator=generator).mul_(size[..., None])
            self.direct.normal_(generator=generator)

    def forward(self, x: torch.Tensor, batch: Ragged, state: Slots | None) -> torch.Tensor:
        return self.out(self.mix(self.into(x, batch), batch, state), batch)

    def scan(self, made: torch.Tensor, state: State | None) -> tuple[torch.Tensor, State]:
        z, tail = self.conv(made, state["tail"] if state else None)
        gate, gated = self._split(z)
        poles, residues = self._modes()
        x = gated.float().mT
        y = fft_conv(x, response(poles, residues, x.shape[-1])) + self.direct[:, None] * x
        modes = leftover(poles, x)
        if state:
            before = poles * torch.view_as_complex(state["modes"])
            y = y + response(poles, residues * before, x.shape[-1])
            modes = modes + before * power(poles, x.shape[-1] - 1)
        out = gate * y.mT.to(gate.dtype)
        return out, {"tail": tail, "modes": torch.view_as_real(modes)}

    def step(self, made: torch.Tensor, state: State) -> tuple[torch.Tensor, State]:
        z, tail = self.conv.step(made, state["tail"])
        gate, gated = self._split(z)
        poles, residues = self._modes()
        x = gated.float()
        modes = poles * torch.view_as_complex(state["modes"]) + x[..., None]
        y = (residues * modes).sum(-1).real + self.direct * x
        return gate * y.to(gate.dtype), {"tail": tail, "modes": torch.view_as_real(modes)}

    def _split(self, z: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """[..., 3 * width] -> the gate and the gated, [..., width] each."""
        gate, a, b = z.unflatten(-1, (self.heads, 3, -1)).unbind(-2)
        return gate.flatten(-2), (a * b).flatten(-2)

    def _modes(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Poles and residues, complex [width, modes]."""
        return (
            torch.view_as_complex(self.poles[:, :, 0].contiguous()),
            torch.view_as_complex(self.residues[:, :, 0].contiguous()),
        )
