"""Which copy stays: each document gets a score, and the highest of a cluster stays, of equal ones
the first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa

from openhearth.data.shards import overlay
from openhearth.errors import UsageError

LAST = -np.inf
OTHERS = "The signals are of other documents, or lie otherwise"
REMEDY = "compute those of these documents, into a folder."


class Keep(Protocol):
    """Gives the scores, float64 [n] without NaN, of a batch that a step was given."""

    def __call__(self, batch: pa.RecordBatch) -> np.ndarray: ...


@dataclass(frozen=True)
class First:
    """The first copy stays."""

    def __call__(self, batch: pa.RecordBatch) -> np.ndarray:
        return np.zeros(batch.num_rows)


@dataclass(frozen=True)
class Newest:
    """The copy that was created last stays; one without a date in ISO 8601 counts as oldest."""

    def __call__(self, batch: pa.RecordBatch) -> np.ndarray:
        return np.array([_seconds(date) for date in batch.column("created").to_pylist()], float)


@dataclass(frozen=True)
class Sources:
    """The copy of the source that is named earliest stays; others come after those named."""

    order: tuple[str, ...]

    def __call__(self, batch: pa.RecordBatch) -> np.ndarray:
        ranks = {name: -float(i) for i, name in enumerate(self.order)}
        sources = batch.column("source").to_pylist()
        return np.array([ranks.get(source, LAST) for source in sources], float)


@dataclass(frozen=True)
class Best:
    """The copy with the highest value of a signal stays, or the lowest; undefined ones come last.

    `shards` are those of an overlay that has the signal.
    """

    signal: str
    shards: tuple[Path, ...]
    sign: float = 1.0

    def __call__(self, batch: pa.RecordBatch) -> np.ndarray:
        table = _overlay(batch, self.shards)
        if self.signal not in table.column_names:
            raise UsageError(f"The overlay has no signal {self.signal!r}: compute it among them.")
        values = self.sign * table.column(self.signal).to_numpy().astype(float)
        return np.where(np.isnan(values), LAST, values)


def _overlay(batch: pa.RecordBatch, shards: Sequence[Path]) -> pa.Table:
    try:
        table = overlay(batch, shards)
    except (IndexError, pa.ArrowException, OSError) as error:
        raise UsageError(f"{OTHERS} ({error}): {REMEDY}") from error
    if table.num_rows != batch.num_rows:
        raise UsageError(f"{OTHERS}: {REMEDY}")
    if "id" in table.column_names and table["id"].to_pylist() != batch["id"].to_pylist():
        raise UsageError(f"{OTHERS}: {REMEDY}")
    return table


def keep_of(policy: str, shards: Sequence[Path] = ()) -> Keep:
    """What a policy's name stands for: `first`, `newest`, `sources:A,B`, `most:SIGNAL` or
    `least:SIGNAL`, which look in the shards of an overlay.

    Raises:
        UsageError: there is no such policy, or it needs an overlay.
    """
    name, _, rest = policy.partition(":")
    if name == "first" and not rest:
        return First()
    if name == "newest" and not rest:
        return Newest()
    if name == "sources" and rest:
        return Sources(tuple(rest.split(",")))
    if name in ("most", "least") and rest:
        if not shards:
            raise UsageError(f"{policy} needs signals: give the overlay that has {rest}.")
        return Best(rest, tuple(shards), 1.0 if name == "most" else -1.0)
    raise UsageError(
        f"There is no policy {policy!r}: use first, newest, sources:A,B, most:SIGNAL or "
        "least:SIGNAL."
    )


def _seconds(date: str | None) -> float:
    try:
        found = datetime.fromisoformat(date or "")
    except ValueError:
        return LAST
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
