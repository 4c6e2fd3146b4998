"""Sequence mixers by name. A new one is a file here, settings in `mixer_config`, and a line."""

from __future__ import annotations

from openhearth.models.mixers.attention import GroupedQueryAttention
from openhearth.models.mixers.gated_conv import ModalGatedConv
from openhearth.models.mixers.gated_delta import GatedDeltaNet
from openhearth.models.mixers.hyena import HyenaMixer
from openhearth.models.mixers.mamba import MambaMixer
from openhearth.models.mixers.mamba2 import Mamba2Mixer
from openhearth.models.mixers.monarch import MonarchMixer
from openhearth.models.mixers.rwkv7 import TimeMixing
from openhearth.models.mixers.short_conv import GatedShortConv

MIXERS = {
    "attention": GroupedQueryAttention,
    "gated_conv": ModalGatedConv,
    "gated_delta": GatedDeltaNet,
    "hyena": HyenaMixer,
    "mamba": MambaMixer,
    "mamba2": Mamba2Mixer,
    "monarch": MonarchMixer,
    "rwkv7": TimeMixing,
    "short_conv": GatedShortConv,
}
