"""NemotronH, which counts its mixers and channel mixers together, and calls all of them mixers."""

from __future__ import annotations

from openhearth.models.names.state_space import BACKBONE, MAMBA2, of_layer
from openhearth.models.names.table import Table

MIXER, CHANNEL = "backbone.layers.{m}", "backbone.layers.{c}"
ATTENTION = {
    "mixer.q": "q_proj",
    "mixer.k": "k_proj",
    "mixer.v": "v_proj",
    "mixer.o": "o_proj",
}
HF_NEMOTRON_H: Table = (
    BACKBONE
    | {"blocks.{i}.mixer_norm": f"{MIXER}.norm", "blocks.{i}.channel_norm": f"{CHANNEL}.norm"}
    | of_layer(f"{MIXER}.mixer", MAMBA2 | ATTENTION)
    | of_layer(f"{CHANNEL}.mixer", {"channel.up": "up_proj", "channel.down": "down_proj"})
)
