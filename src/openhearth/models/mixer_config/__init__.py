"""What sequence mixers there are, and their settings; the layers are in `mixers/`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from openhearth.models.mixer_config.attention import Attention
from openhearth.models.mixer_config.convolution import GatedConv, Hyena, Monarch, ShortConv
from openhearth.models.mixer_config.part import MixerPart, Shapes
from openhearth.models.mixer_config.state_space import RWKV7, GatedDelta, Mamba, Mamba2

__all__ = [
    "RWKV7",
    "Attention",
    "GatedConv",
    "GatedDelta",
    "Hyena",
    "Mamba",
    "Mamba2",
    "Mixer",
    "MixerPart",
    "Monarch",
    "Shapes",
    "ShortConv",
]

Mixer = Annotated[
    Attention | GatedConv | GatedDelta | Hyena | Mamba | Mamba2 | Monarch | RWKV7 | ShortConv,
    Field(discriminator="name"),
]
