"""Signals that come from metadata or models: CCNet's seven, UT1, classifiers, importance.

They are null where the metadata or the model is missing, as in RedPajama-V2.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import orjson
import pyarrow as pa

from openhearth.data.signals.names import CCNET, OWN_SCORE, SCORES, WEIGHTED
from openhearth.data.signals.resources import EPSILON, Resources
from openhearth.errors import UsageError

BUCKETS = {"head": 0.0, "middle": 1.0, "tail": 2.0}


def score(
    batch: pa.RecordBatch, table: pa.Table, wanted: set[str], resources: Resources
) -> pa.Table:
    """`table`, the signals of the texts of `batch`, with those of the scores that are wanted.

    Raises:
        UsageError: a score of one's own is wanted, and there is no model for it.
    """
    if unknown := {n for n in wanted if n.startswith(OWN_SCORE)} - resources.scorers.keys():
        raise UsageError(f"There is no model for {min(unknown)}: name it among the scorers.")
    metadata = [orjson.loads(m or "{}") for m in batch.column("metadata").to_pylist()]
    columns: dict[str, list[Any]] = {}
    needed = wanted | ({"ccnet_perplexity"} if "ccnet_bucket" in wanted else set())
    for name in resources.scorers.keys() & needed:
        found = resources.scorers[name].score(batch.column("text"))
        columns[name] = [round(v, 8) if math.isfinite(v) else None for v in found.tolist()]
    if wanted.intersection(CCNET):
        columns |= _ccnet(table, batch, metadata, columns.get("ccnet_perplexity"), resources)
    if "rps_doc_ut1_blacklist" in wanted:
        columns["rps_doc_ut1_blacklist"] = [
            resources.domains.get(str(m.get("source_domain"))) for m in metadata
        ]
    if wanted.intersection(WEIGHTED):
        columns |= _importance(table, resources)
    nothing = [None] * batch.num_rows
    for name in SCORES:
        if name in wanted:
            table = table.append_column(name, pa.array(columns.get(name, nothing), pa.float64()))
    for name in sorted(columns.keys() - set(SCORES)):
        table = table.append_column(name, pa.array(columns[name], pa.float64()))
    return table.drop_columns([c for c in table.column_names if c.startswith("importance.")])


def _ccnet(
    table: pa.Table,
    batch: pa.RecordBatch,
    metadata: list[dict[str, Any]],
    perplexity: list[Any] | None,
    resources: Resources,
) -> dict[str, list[Any]]:
    length = [float(n) for n in table.column("length").to_pylist()]
    lines = [float(text.count("\n") + 1) for text in batch.column("text").to_pylist()]

    def known(name: str, otherwise: list[Any]) -> list[Any]:
        return [_number(m.get(name), v) for m, v in zip(metadata, otherwise, strict=True)]

    nothing = [None] * len(metadata)
    found = known("perplexity", nothing) if perplexity is None else perplexity
    return {
        "ccnet_length": known("length", length),
        "ccnet_original_length": known("original_length", length),
        "ccnet_nlines": known("nlines", lines),
        "ccnet_original_nlines": known("original_nlines", lines),
        "ccnet_language_score": known("language_score", nothing),
        "ccnet_perplexity": found,
        "ccnet_bucket": [
            _bucket(m.get("bucket") if perplexity is None else None, p, resources)
            for m, p in zip(metadata, found, strict=True)
        ],
    }


def _number(value: Any, otherwise: Any) -> Any:
    return float(value) if isinstance(value, int | float) else otherwise


def _bucket(named: Any, perplexity: float | None, resources: Resources) -> float | None:
    if named in BUCKETS:
        return BUCKETS[named]
    if perplexity is None or resources.buckets is None:
        return None
    return float(np.searchsorted(resources.buckets, perplexity, side="right"))


def _importance(table: pa.Table, resources: Resources) -> dict[str, list[Any]]:
    columns: dict[str, list[Any]] = {}
    lengths = table.column("length").to_pylist()
    for name in resources.weights.domains:
        plain = table.column(f"importance.{name}").to_pylist()
        target, source = resources.lambdas[name]
        columns[f"rps_doc_{name}_importance"] = [v if v is None else round(v, 8) for v in plain]
        columns[f"rps_doc_{name}_importance_length_correction"] = [
            None if v is None else round(v + _log_poisson(n, target) - _log_poisson(n, source), 8)
            for v, n in zip(plain, lengths, strict=True)
        ]
    return columns


def _log_poisson(n: int, rate: float) -> float:
    """log(P(n) + 1e-8). The reference puts characters where its rates are of words, so it
    saturates.
    """
    if rate <= 0:
        return math.log((n == 0) + EPSILON)
    return math.log(math.exp(n * math.log(rate) - rate - math.lgamma(n + 1)) + EPSILON)
