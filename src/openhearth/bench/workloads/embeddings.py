"""`embeddings`: vectors of eight texts."""

from __future__ import annotations

from openhearth.bench.workloads.lengths import fill
from openhearth.bench.workloads.request import Spec, nonce
from openhearth.bench.workloads.texts import paragraphs

TEXTS = 8  # of a request


def text(spec: Spec) -> str:
    """One of them, as long as the prompt's length."""
    start = nonce(spec.rng, spec.writer.names)
    told = fill(spec.sentence, spec.count, spec.prompt - spec.count(start))
    return f"{start} {paragraphs(told)}"
