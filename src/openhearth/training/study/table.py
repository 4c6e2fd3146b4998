"""The runs of a study as one table, a row for each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from openhearth.training.study.findings import SliceFound
from openhearth.training.study.train_run import Measured


def table(found: Sequence[SliceFound]) -> pa.Table:
    """Of each run what it was, what it cost, and its losses: in nats per token and bits per byte on
    its own slice, and in nats on each slice as `loss on SLICE`. `run` and `model` are digests.
    """
    rows = [_row(m) for slice_ in found for each in slice_.measured.values() for m in each]
    return pa.Table.from_pylist(sorted(rows, key=lambda row: (row["slice"], row["mix"], row["N"])))


def _row(m: Measured) -> dict[str, Any]:
    run = m.run
    return {
        "mix": run.mix,
        "width": run.size.width,
        "depth": run.size.depth,
        "slice": run.slice,
        "N": run.parameters,
        "D": run.tokens,
        "budget": run.budget,
        "flops": run.flops,
        "loss": m.loss,
        "bits_per_byte": m.bits[run.slice],
        "run": m.artifact.digest,
        "model": m.artifact.manifest.metrics["model"],
        **{f"loss on {name}": loss for name, loss in m.losses.items()},
    }
