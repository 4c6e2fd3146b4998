"""Workloads: what is asked of a server, made from a seed (rules 5 to 10).

In: a recipe, a seed, due times, the gate's questions. Out: `Ask`s.
"""

from openhearth.bench.workloads.lengths import LENGTHS, Count, Length, Lengths, four_bytes
from openhearth.bench.workloads.plan import asks

__all__ = ["LENGTHS", "Count", "Length", "Lengths", "asks", "four_bytes"]
