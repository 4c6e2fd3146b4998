"""Which kind of native kernels computes here: the best, or what the environment asks for."""

from __future__ import annotations

import os
from collections.abc import Sequence

from openhearth.errors import UsageError

ISA = "OPENHEARTH_ISA"  # portable, avx2 or avx512


def chosen(kinds: Sequence[str]) -> str:
    """One of the kinds that this processor has, which are given the best first.

    Raises:
        UsageError: this processor does not have what is asked for.
    """
    asked = os.environ.get(ISA, kinds[0])
    if asked not in kinds:
        raise UsageError(f"{ISA} is {asked!r}, but this processor has {', '.join(kinds)}.")
    return asked
