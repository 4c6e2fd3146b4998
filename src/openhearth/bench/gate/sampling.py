"""Were answers with a seed drawn as published? (rule 37)

A server with published random numbers adds to each token's scaled log-probability a number that
anybody can compute, and takes the largest. So the reference, which knows the log-probabilities, can
draw each token again. After "DiFR" (arXiv:2511.20621): most tokens come out the same on honest
machines, and those that do not miss by little; other weights or other numbers miss by much.

The reference's scores of an answer (`scored`) have this already: at each token `gap`, by how much
the token that came loses against the one that the reference draws, in nats, 0 if they are the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from openhearth.bench.records import Record

MOST = 10.0  # nats that one token counts at most, so that few cannot outweigh all


@dataclass(frozen=True)
class Audit:
    """`same` is the share of tokens that the published numbers draw; `gap` what is lost, on
    average, in nats, of at most ten a token.
    """

    same: float
    gap: float
    tokens: int
    answers: int


def audit(served: Sequence[Record], scored: Mapping[int, Record]) -> Audit | None:
    """Of the answers with a seed that the reference has scored; None if there are none."""
    gaps: list[float] = []
    answers = 0
    for record in served:
        score = scored.get(record.check["question"])
        if record.check["gate"] == "seeded" and score is not None:
            found = [min(MOST, token["gap"]) for token in score.logprobs if "gap" in token]
            gaps += found
            answers += bool(found)
    if not gaps:
        return None
    return Audit(float(np.mean(np.equal(gaps, 0))), float(np.mean(gaps)), len(gaps), answers)
