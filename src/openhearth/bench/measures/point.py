"""One point: a load at one rate, and all that its records tell."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from openhearth.bench.measures.answers import Answers, answers, errors
from openhearth.bench.measures.objective import Decision, Verdict
from openhearth.bench.measures.timing import Timing, timings
from openhearth.bench.measures.tokens import Counter
from openhearth.bench.measures.usage import Comparison, compare_answers, compare_prompts
from openhearth.bench.measures.window import Drift, Growth, Window, drift, growth, steady
from openhearth.bench.recipe import LEAST, AllAtOnce, Callers, Objective, Recipe
from openhearth.bench.records import Failure, Record

LATEST_MS = 2.0
LATEST_SHARE = 0.05  # of the objective's time to first token
DIGITS = 9  # of the figures that are told: the last of a float depend on who computes


@dataclass(frozen=True)
class Lateness:
    """How late the load generator sent, and how late it may (rule 13)."""

    p50_ms: float
    p99_ms: float
    most_ms: float
    bound_ms: float

    @property
    def valid(self) -> bool:
        """Whether the run counts."""
        return self.p99_ms <= self.bound_ms


@dataclass(frozen=True)
class PointMeasures:
    """All figures of a point. `requests` and `errors` are of the whole of it, `answers` and
    `workloads` of what was due in the window.
    """

    seconds: float
    tokens_by: str
    requests: int
    errors: dict[str, int]
    window: Window
    answers: Answers
    workloads: dict[str, Answers]
    growth: Growth
    drifts: dict[str, Drift | None]
    lateness: Lateness | None
    answer_usage: Comparison | None
    prompt_usage: Comparison | None
    short: bool  # rule 17
    partial: bool  # rule 58

    @property
    def verdict(self) -> Verdict:
        """Whether the server carried this load (rules 16 and 18)."""
        return verdict(self.answers.objective, self.growth)

    @property
    def valid(self) -> bool:
        """Whether the load generator did what it should (rule 13)."""
        return self.lateness is None or self.lateness.valid

    @property
    def findings(self) -> list[str]:
        """What a reader must know, by rule."""
        found = {
            "rule 13": not self.valid,
            "rule 16": not self.growth.sustained,
            "rule 17": self.short,
            "rule 25": any(u and u.differs for u in (self.answer_usage, self.prompt_usage)),
            "rule 44": any(one and one.slower for one in self.drifts.values()),
            "rule 58": self.partial,
        }
        return [rule for rule, broken in found.items() if broken]

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON, in nine digits. What is infinite is null."""
        verdicts = {"verdict": self.verdict.value, "valid": self.valid, "findings": self.findings}
        plain: dict[str, Any] = _plain(asdict(self) | verdicts)
        return plain


def verdict(decision: Decision, growth: Growth) -> Verdict:
    """Whether a load was carried. What holds and seems to grow is undecided: in a longer point it
    fails if it grows, and holds if it was chance.
    """
    if decision.verdict is Verdict.HOLDS and not growth.sustained:
        return Verdict.UNDECIDED
    return decision.verdict


def measure(
    records: Sequence[Record],
    recipe: Recipe,
    counter: Counter,
    *,
    seconds: float,
    template: int | None = None,
    missing: int = 0,
) -> PointMeasures:
    """The figures of a point whose requests were due within `seconds` of its beginning.

    `template` is what the server counts for a chat of one empty message; without it prompts are
    not compared. `missing` is how many requests that were due have no record.
    """
    timed = timings(records, counter)
    window = _window(timed, recipe, seconds)
    names = sorted({record.workload for record in records})
    groups = {name: [t for t in timed if t.record.workload == name] for name in names}
    whole = answers(timed, window, recipe.objective)
    fewest_seconds, fewest_requests = LEAST[recipe.tier]
    return PointMeasures(
        seconds=seconds,
        tokens_by=counter.name,
        requests=len(records),
        errors=errors(timed),
        window=window,
        answers=whole,
        workloads={
            name: answers(group, window, recipe.objective) if len(names) > 1 else whole
            for name, group in groups.items()
        },
        growth=growth(timed, window),
        drifts={
            "ttft": drift(timed, window, lambda timing: timing.ttft),
            "tpot": drift(timed, window, lambda timing: timing.tpot),
        },
        lateness=_lateness(timed, recipe.objective),
        answer_usage=compare_answers(timed) if counter.exact else None,
        prompt_usage=compare_prompts(timed, template)
        if counter.exact and template is not None
        else None,
        short=seconds < fewest_seconds or len(records) < fewest_requests,
        partial=bool(missing) or any(r.failure is Failure.BROKEN_OFF for r in records),
    )


def _window(timed: Sequence[Timing], recipe: Recipe, seconds: float) -> Window:
    """Of what is due at times of its own until `seconds`, of callers until the last answer's end.
    What is due all at once has no steady state: all of it is measured.
    """
    last = max((timing.record.ended or 0.0 for timing in timed), default=0.0) or seconds
    if isinstance(recipe.load, AllAtOnce):
        return Window(0.0, last)
    return steady(timed, 0.0, last if isinstance(recipe.load, Callers) else seconds)


def _lateness(timed: Sequence[Timing], objective: Objective) -> Lateness | None:
    sent = [(timing.record.sent, timing.record.due) for timing in timed]
    late = sorted(1e3 * (at - due) for at, due in sent if at is not None)
    if not late:
        return None
    half, nearly_all = (late[math.ceil(percent * len(late) / 100) - 1] for percent in (50, 99))
    return Lateness(half, nearly_all, late[-1], max(LATEST_MS, LATEST_SHARE * objective.ttft_ms))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None
    return value
