"""Channel mixers by name. A new one is a file here, settings in `channel_config`, and a line."""

from __future__ import annotations

from openhearth.models.channels.feed_forward import FeedForward, GatedFeedForward
from openhearth.models.channels.mixture import MixtureOfExperts
from openhearth.models.channels.monarch_mlp import MonarchFeedForward

CHANNELS = {
    "mlp": FeedForward,
    "monarch_mlp": MonarchFeedForward,
    "swiglu": GatedFeedForward,
    "moe": MixtureOfExperts,
}
