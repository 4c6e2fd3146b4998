"""How sure a ratio of sums is, when documents of one source are alike."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from openhearth.bench.improvement.quality import RESAMPLES

DRAWN = 2**22  # numbers held at a time


def ratio_interval(
    groups: Sequence[str], above: np.ndarray, below: np.ndarray
) -> tuple[float, float] | None:
    """The 95 % interval of sum(above) / sum(below) by a bootstrap over groups (Field & Welsh 2007);
    None with fewer than two of them.
    """
    _, rows = np.unique(np.asarray(groups), return_inverse=True)
    count = int(rows.max(initial=-1)) + 1
    if count < 2:
        return None
    sums = np.stack([np.bincount(rows, values, count) for values in (above, below)], axis=1)
    rng, drawn = np.random.default_rng(0), []
    step = max(1, DRAWN // count)
    for start in range(0, RESAMPLES, step):
        draws = rng.integers(0, count, (min(step, RESAMPLES - start), count))
        drawn.append(sums[draws].sum(axis=1))
    totals = np.concatenate(drawn)
    low, high = np.percentile(totals[:, 0] / totals[:, 1], [2.5, 97.5])
    return float(low), float(high)
