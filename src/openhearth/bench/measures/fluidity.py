"""The fluidity index: how many of a reader's deadlines an answer kept (rule 23).

After Agrawal et al. 2024 (arXiv:2407.07000; the algorithm is written out in arXiv:2507.09019). The
first token is due within the time to first token that is aimed at, each later one within the time
per token. What comes early leaves its time to those after it. What comes late has missed every
deadline that passed meanwhile, and the deadlines begin anew when it is there.
"""

from __future__ import annotations

from openhearth.bench.measures.timing import Timing
from openhearth.bench.recipe import Objective


def fluidity(timing: Timing, objective: Objective) -> float | None:
    """The share of deadlines that were kept, from 0 to 1; none of a request that failed, and None
    for an answer without tokens.
    """
    if timing.failed:
        return 0.0
    each = objective.tpot_ms / 1e3
    before, bound, saved = timing.record.due, objective.ttft_ms / 1e3, 0.0
    kept = missed = 0
    for at, tokens in timing.events:
        late = at - before - bound - saved
        if late <= 0:
            kept, saved = kept + 1, -late
        else:
            missed, saved = missed + 1 + int(late // each), 0.0
        # The other tokens of a chunk come at once, each with its whole time unspent.
        kept, saved = kept + tokens - 1, saved + (tokens - 1) * each
        before, bound = at, each
    return kept / (kept + missed) if timing.events else None
