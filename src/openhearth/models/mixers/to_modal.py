"""Hyena layers with a small state: their filters, distilled into sums of modes.

What Massaroli et al. 2023 (arXiv:2310.18780) find by descending a gradient is found here at once:
poles by the shift between the main directions of the filter's Hankel matrix (Kung 1978), residues
by least squares over all taps. How well that does is measured, and part of the answer.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch

from openhearth.models.mixer_config import GatedConv
from openhearth.models.mixers.gated_conv import ModalGatedConv
from openhearth.models.mixers.hyena import HyenaMixer
from openhearth.models.mixers.modal import response

MOST_ROWS = 256  # of a Hankel matrix
LARGEST_POLE = 0.9999  # a mode must fade, also after the filter's last tap


@torch.no_grad()
def to_modal(hyena: HyenaMixer, modes: int) -> tuple[ModalGatedConv, torch.Tensor]:
    """The layer that has so many modes in place of the filter, and the error of each channel.

    An error is the size of what the filters differ by, over that of Hyena's, over all its taps:
    [width]. Beyond them Hyena forgets, and the modes fade on.
    """
    taps = hyena.filter(hyena.filter.config.taps)[0].double()
    poles, residues = fit(taps, modes)
    made = response(poles, residues, taps.shape[-1])
    first = taps[:, 0] - made[:, 0]  # goes the direct way, and so is exact
    made[:, 0] += first
    config = GatedConv(modes=modes, kernel=hyena.conv.weight.shape[-1])
    layer = ModalGatedConv(config, len(taps), 0.0)
    for ours, theirs in (
        (layer.into, hyena.into),
        (layer.conv, hyena.conv),
        (layer.out, hyena.out),
    ):
        ours.load_state_dict(theirs.state_dict())
    layer.direct.copy_(hyena.direct + first)
    layer.poles.copy_(torch.view_as_real(poles[..., None]))
    layer.residues.copy_(torch.view_as_real(residues[..., None]))
    return layer, ((taps - made).norm(dim=1) / taps.norm(dim=1)).float()


def fit(taps: torch.Tensor, modes: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Poles and residues, complex [channels, modes], of filters [channels, taps] in float64, from
    their second taps on. More modes never fit worse."""
    poles = torch.zeros(len(taps), modes, dtype=torch.complex128)
    residues = torch.zeros_like(poles)
    for channel, h in enumerate(taps[:, 1:]):
        fits = [_with_residues(h, found) for found in _poles(h, modes)]
        _, found, sizes = min(fits, key=lambda fit: fit[0])
        poles[channel, : len(found)], residues[channel, : len(found)] = found, sizes
    return poles, residues


def _poles(h: torch.Tensor, modes: int) -> Iterator[torch.Tensor]:
    """Those of linear systems of each order whose outputs are nearly h [taps]: the real ones, and
    one of each pair. One that would grow is held back."""
    rows = min(MOST_ROWS, len(h) // 2)
    hankel = h.unfold(0, len(h) - rows + 1, 1)
    main = torch.linalg.eigh(hankel @ hankel.T).eigenvectors.flip(1)
    for order in range(1, min(2 * modes, rows - 1) + 1):
        kept = main[:, :order]
        shift = torch.linalg.lstsq(kept[:-1], kept[1:]).solution
        poles = torch.linalg.eigvals(shift)
        poles = poles[poles.imag >= 0]
        if len(poles) <= modes:
            yield poles * (LARGEST_POLE / poles.abs()).clamp(max=1)


def _with_residues(
    h: torch.Tensor, poles: torch.Tensor
) -> tuple[float, torch.Tensor, torch.Tensor]:
    """The squared error that these poles leave at best, they, and their residues."""
    powers = poles ** torch.arange(1, len(h) + 1)[:, None]
    waves = torch.cat((powers.real, -powers.imag), dim=1)
    # Real poles have no imaginary waves, so this has no unique answer: the smallest is taken.
    sizes = torch.linalg.lstsq(waves, h[:, None], driver="gelsd").solution
    error = (waves @ sizes - h[:, None]).square().sum()
    return float(error), poles, torch.complex(*sizes[:, 0].chunk(2))
