"""What training costs: the FLOPs of a token, forward and backward, in the forms that train.

As nanochat counts them (github.com/karpathy/nanochat): six for each weight of a matrix that a token
meets, the head among them and the embedding not, and three times what mixers do beside their
matrices; attention sees the whole context, without the half that is masked. What is done once for a
batch, such as making a filter, does not count.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch

from openhearth.models import Model, ModelConfig
from openhearth.models.mixers.chunks import CHUNK
from openhearth.models.size import matrix_weights

FORWARD_AND_BACKWARD = 3


def weights_met(config: ModelConfig) -> int:
    """The weights of matrices that a token meets: those of the blocks and of the head. This is the
    N of scaling laws, which are cleanest so.
    """
    with torch.device("meta"):
        model = Model(config)
    return matrix_weights(model.blocks) + model.head_weight.numel()


def training_flops(config: ModelConfig, length: int) -> int:
    """Of one token of a text of this length."""
    beside = sum(
        MIXING[block.mixer.name](block.mixer, config.width, length) for block in config.blocks
    )
    return FORWARD_AND_BACKWARD * (2 * weights_met(config) + beside)


def _conv(kernel: int, channels: int) -> int:
    return 2 * kernel * channels


def _fft_conv(channels: int, length: int) -> int:
    """Two real transforms of twice the length, 5/2 n log2 n each, and a product between them."""
    return round(channels * (10 * math.log2(2 * length) + 6))


def _attention(mixer: Any, width: int, length: int) -> int:
    return mixer.flops(length)


def _gated_conv(mixer: Any, width: int, length: int) -> int:
    gates = 2 * width
    return _conv(mixer.kernel, 3 * width) + _fft_conv(width, length) + gates


def _short_conv(mixer: Any, width: int, length: int) -> int:
    return _conv(mixer.kernel, width) + 2 * width


def _mamba(mixer: Any, width: int, length: int) -> int:
    """Each number of the state: a decay is made, it fades, takes something up, and is read."""
    return _conv(mixer.kernel, mixer.inner) + 7 * mixer.inner * mixer.state


def _mamba2(mixer: Any, width: int, length: int) -> int:
    """Within a chunk as attention does it, and by way of the state from chunk to chunk."""
    size = min(CHUNK, length)
    inside = 2 * size * (mixer.groups * mixer.state + mixer.inner)
    across = 4 * mixer.inner * mixer.state
    return _conv(mixer.kernel, mixer.convolved) + inside + across


def _gated_delta(mixer: Any, width: int, length: int) -> int:
    """Two products of keys or queries with keys, a triangular system, one with corrections; and by
    way of the state what it says of keys and of queries, and what is put in.
    """
    size, keys, values = min(CHUNK, length), mixer.key_dim, mixer.value_dim
    inside = 2 * size * (2 * keys + values) + size * (keys + values)
    across = 6 * keys * values
    return _conv(mixer.kernel, mixer.convolved) + mixer.heads * (inside + across)


def _rwkv7(mixer: Any, width: int, length: int) -> int:
    """As the delta rule, with two keys and two queries, and what is written beside."""
    size, n = min(CHUNK, length), mixer.head_dim
    inside = 2 * size * 7 * n + 2 * size * n
    across = 8 * n * n
    return mixer.heads * (inside + across)


MIXING: dict[str, Callable[[Any, int, int], int]] = {
    "attention": _attention,
    "gated_conv": _gated_conv,
    "gated_delta": _gated_delta,
    "hyena": _gated_conv,
    "mamba": _mamba,
    "mamba2": _mamba2,
    "rwkv7": _rwkv7,
    "short_conv": _short_conv,
}
"""What a causal mixer does for a token beside its matrices, forward."""
