"""Is the server still what a report says? A sample of its requests, sent once more (rule 55)."""

from __future__ import annotations

from collections.abc import Sequence

from openhearth.bench.gate.lies import samples_of
from openhearth.bench.gate.two_sample import APART, two_sample
from openhearth.bench.load import Target, carry_out
from openhearth.bench.measures import spread, timings
from openhearth.bench.records import Ask, Record
from openhearth.bench.report.check import Check
from openhearth.bench.report.figures import Measurement
from openhearth.errors import UsageError
from openhearth.progress import Progress, silent


def again(
    measurement: Measurement, target: Target, entry: int = 0, progress: Progress = silent
) -> list[Check]:
    """Ask what the gate asked alone once more, and compare answers and first waits.

    Raises:
        UsageError: the report has no such questions.
    """
    gates = measurement.by(entry, "gate")
    if not gates:
        raise UsageError("The report was not gated: there is nothing to ask again alone.")
    before = measurement.of(gates[0])
    asks = [_ask(record) for record in before]
    sent = carry_out(
        target,
        asks,
        callers=1,
        timeout_s=measurement.disclosure.recipe.timeout_s,
        seen=lambda done: progress("again", done, len(asks), "requests"),
    )
    return [_answers(before, sent.records), _waits(measurement, before, sent.records)]


def _ask(record: Record) -> Ask:
    return Ask(record.number, record.workload, record.route, record.request, check=record.check)


def _answers(before: Sequence[Record], now: Sequence[Record]) -> Check:
    try:
        found = two_sample(samples_of(now), samples_of(before))
    except UsageError as error:
        return Check("answers again", None, str(error))
    return Check("answers again", found.p > APART, f"two samples: p {found.p:.3g}")


def _waits(measurement: Measurement, before: Sequence[Record], now: Sequence[Record]) -> Check:
    """Whether the intervals of the medians of first waits overlap (rule 29)."""
    medians = []
    for records in (before, now):
        firsts = [timing.ttft for timing in timings(records, measurement.counter)]
        values = [[] if first is None else [(1e3 * first, 1)] for first in firsts]
        found = spread(values, list(range(len(values))))
        if found is None:
            return Check("first tokens again", None, "none came")
        medians.append(found.p50)
    old, new = medians
    told = f"{old.value:.3g} ms then ({old.low:.3g} to {old.high:.3g}), {new.value:.3g} ms now"
    return Check(
        "first tokens again",
        old.low <= new.high and new.low <= old.high,
        f"{told} ({new.low:.3g} to {new.high:.3g})",
    )
