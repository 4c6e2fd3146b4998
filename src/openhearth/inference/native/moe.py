"""A mixture of experts as operations: scores, the rows of each expert, its products, their sum.

The rows of a step are sorted by expert, so that each one's weights are read once; what a row's
experts make stands side by side in its own row, and is added in the order of their numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from openhearth.inference.native import _engine
from openhearth.inference.native.adapters import alternating, filled
from openhearth.inference.native.feed_forward import gated_use
from openhearth.inference.native.weights import pack, rows_of, vector
from openhearth.models.channel_config import MoE
from openhearth.models.weights import Packed

if TYPE_CHECKING:
    from openhearth.inference.native.lowering import Lowering, Norm, Out


def moe(low: Lowering, name: str, channel: MoE, norm: Norm | None, out: Out) -> None:
    """The layer's operations.

    Raises:
        NoKernel: its sizes are no multiples of what the kernels take at once.
    """
    width, active, hidden = low.config.width, channel.active, channel.hidden
    low.check_panels(name, width, hidden)
    x = low.normed(norm)
    # Of each row its experts, their weights, and that of the layer that all rows share.
    chosen = low.buffer("chosen", 2 * active + _engine.PANEL)
    inner = low.buffer("hidden", active * hidden)
    made = low.buffer("made", (active + bool(channel.shared)) * width)
    use = gated_use(channel.activation)
    _route(low, name, channel, x, chosen)
    gates, down = [f"{name}.experts.gate", f"{name}.experts.up"], [f"{name}.experts.down"]
    _experts(low, gates, alternating(channel.experts * hidden), channel, x, use, inner)
    _experts(
        low, down, [np.arange(channel.experts * width)], channel, inner, _engine.Use.STORE, made
    )
    if channel.shared:
        _shared(low, name, channel, x, chosen, made)
    low.program.blend(made, chosen, active, *out)


def _route(low: Lowering, name: str, channel: MoE, x: Any, chosen: Any) -> None:
    """Which experts each row takes."""
    scores = low.buffer("scores", filled(channel.experts))
    _score(low, f"{name}.router", x, scores)
    low.program.route(
        scores,
        experts=channel.experts,
        active=channel.active,
        groups=channel.groups,
        active_groups=channel.active_groups,
        softmax=channel.score == "softmax",
        normalised=channel.normalised,
        factor=channel.factor,
        bias=vector(low.weights, f"{name}.router.bias") if channel.biased else None,
        routes=low.routes,
        chosen=chosen,
    )


def _experts(
    low: Lowering,
    names: list[str],
    places: list[np.ndarray],
    channel: MoE,
    x: Any,
    use: Any,
    out: Any,
) -> None:
    """Products with a matrix, or a pair of them, of each row's experts."""
    rows = [_stacked(low, name) for name in names]
    matrix = pack(" and ".join(names), rows, places, sum(map(len, places)), low.body)
    low.program.experts(x, matrix, channel.experts, channel.active, use, low.routes, out)


def _shared(low: Lowering, name: str, channel: MoE, x: Any, chosen: Any, made: Any) -> None:
    """The layer that all rows take, behind their experts."""
    inner = low.buffer("hidden", channel.shared)
    gates, use = (f"{name}.shared.gate", f"{name}.shared.up"), gated_use(channel.activation)
    low.gated(gates, x, None, use, inner, bias=False)
    column = channel.active * low.config.width
    down = [f"{name}.shared.down"]
    low.linear(down, inner, None, _engine.Use.STORE, made, bias=False, column=column)
    if channel.shared_gate:
        gate, column, use = [f"{name}.shared_gate"], 2 * channel.active, _engine.Use.STORE
        low.linear(gate, x, None, use, chosen, bias=False, column=column, dtype="float32")
        low.program.sigmoid(chosen, column, _engine.PANEL, 1.0)


def _score(low: Lowering, name: str, x: Any, out: Any) -> None:
    """A product in fp32, as by few digits a row would go elsewhere."""
    rows = rows_of(low.weights, f"{name}.weight")
    count = len(rows.data)
    matrix = pack(name, [rows], [np.arange(count)], count, "float32")
    low.program.linear(x, None, matrix, None, _engine.Use.STORE, out)


def _stacked(low: Lowering, name: str) -> Packed:
    """The matrices of all experts as one, their rows one after another."""
    packed = rows_of(low.weights, name)
    data = packed.data.reshape(-1, packed.data.shape[-1])
    return Packed(packed.source, data, np.arange(len(data)))
