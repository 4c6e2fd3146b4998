"""How the learning rate goes over a run: up along a line, then as the kind says.

Every kind is a pure function of the step, so that a resumed run needs nothing but its number.
"""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import Field

from openhearth.models.part import Part

Share = Annotated[float, Field(ge=0, le=1)]


class Schedule(Part):
    """The shape of the learning rate. `warm_up` is a share of all steps.

    After it, `linear` and `cosine` fall to `min_ratio` of the peak, the cosine in `cycles` waves
    (half a wave falls once); `constant` stays; `wsd` (warm-up, stable, decay; Hu et al. 2024,
    arXiv:2404.06395) stays, and falls along a line over the last `decay` of the steps.
    """

    kind: Literal["linear", "cosine", "wsd", "constant"] = "linear"
    warm_up: Share = 0.1
    min_ratio: Share = 0.0
    decay: Share = 0.3
    cycles: Annotated[float, Field(gt=0)] = 0.5

    def rate(self, step: int, total: int) -> float:
        """The share of the full learning rate at `step`, from 0, of `total` steps."""
        warm = max(1, round(self.warm_up * total)) if self.warm_up else 0
        if step < warm:
            return (step + 1) / warm
        # From 1 at the end of the warm-up to almost 0: the last step learns something too.
        left = (total - step) / max(1, total - warm + 1)
        return self.min_ratio + (1 - self.min_ratio) * self._height(left, total, step)

    def _height(self, left: float, total: int, step: int) -> float:
        if self.kind == "constant":
            return 1.0
        if self.kind == "linear":
            return left
        if self.kind == "wsd":
            return min(1.0, (total - step) / max(1.0, self.decay * total))
        return 0.5 * (1 + math.cos(2 * math.pi * self.cycles * (1 - left)))
