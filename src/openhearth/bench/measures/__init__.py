"""Measures: from records to figures, as docs/reference/benchmark-protocol.md defines them.

In: records, a recipe, and what counts tokens. Out: the figures of a point with their intervals, the
capacity that a search found, and how two entries compare. Everything is computed from records alone
and comes out the same each time, so that anybody can check it (rule 53).
"""

from openhearth.bench.measures.capacity import Capacity, Tried, search
from openhearth.bench.measures.intervals import Estimate, Spread, spread
from openhearth.bench.measures.objective import Decision, Verdict
from openhearth.bench.measures.pairs import Ratio, ratio
from openhearth.bench.measures.point import PointMeasures, measure
from openhearth.bench.measures.significance import welch
from openhearth.bench.measures.timing import Timing, timings
from openhearth.bench.measures.tokens import Counter, counter

__all__ = [
    "Capacity",
    "Counter",
    "Decision",
    "Estimate",
    "PointMeasures",
    "Ratio",
    "Spread",
    "Timing",
    "Tried",
    "Verdict",
    "counter",
    "measure",
    "ratio",
    "search",
    "spread",
    "timings",
    "welch",
]
