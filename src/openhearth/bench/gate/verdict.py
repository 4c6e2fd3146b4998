"""The gate's verdict: distances, findings, and the class of rule 40."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from openhearth.bench.gate.agreement import Agreement, Place, agreement
from openhearth.bench.gate.items import Paired, Tools, paired, tools
from openhearth.bench.gate.lies import Cut, Stored, cut, samples_of, stored, told
from openhearth.bench.gate.places import places
from openhearth.bench.gate.sampling import Audit, audit
from openhearth.bench.gate.two_sample import APART, TwoSample, two_sample
from openhearth.bench.gate.under_load import UnderLoad, under_load
from openhearth.bench.records import Record, well
from openhearth.bench.tasks import TASKS, right, score
from openhearth.errors import UsageError

Quality = Literal["identical", "equivalent", "approximate", "different", "unproven"]

EQUIVALENT, APPROXIMATE = 0.002, 0.1  # nats of mean KL
MUCH_WORSE = 0.03  # of a task's score
HALF, FEWEST_ANSWERS = 0.5, 20  # of equal first choices, over so many answers or more
FEWEST_PLACES = 500  # of log-probabilities, for a class by them


@dataclass(frozen=True)
class Verdict:
    """What the gate found; what could not be asked is None. `loaded` compares answers under load
    with those alone.
    """

    quality: Quality
    agreement: Agreement | None
    two_sample: TwoSample | None
    tasks: Mapping[str, Paired]
    tools: Tools | None
    reference_tools: Tools | None
    sampling: Audit | None
    stored: Stored | None
    cut: Cut | None
    loaded: UnderLoad | None
    answered: int
    asked: int

    @property
    def findings(self) -> list[str]:
        """The rules that the server broke."""
        broken = {
            "rule 41": self.stored is not None and self.stored.found,
            "rule 42": self.cut is not None and self.cut.found,
            "rule 43": self.loaded is not None and self.loaded.found,
        }
        return [rule for rule, is_broken in broken.items() if is_broken]

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "class": self.quality,
            "findings": self.findings,
            "agreement": self.agreement.to_dict() if self.agreement else None,
            "two_sample": self.two_sample.to_dict() if self.two_sample else None,
            "tasks": {name: one.to_dict() for name, one in self.tasks.items()},
            "tools": self.tools.to_dict() if self.tools else None,
            "reference_tools": self.reference_tools.to_dict() if self.reference_tools else None,
            "sampling": asdict(self.sampling) if self.sampling else None,
            "stored": told(self.stored),
            "cut": told(self.cut),
            "loaded": self.loaded.to_dict() if self.loaded else None,
            "answered": self.answered,
            "asked": self.asked,
        }


def judge(
    alone: Sequence[Record],
    loaded: Sequence[Record],
    reference: Sequence[Record],
    scored: Sequence[Record] = (),
) -> Verdict:
    """Compare what a server answered alone and under load with what the reference answered.

    `scored` are the reference's own log-probabilities of the served answers' tokens, each with the
    question's number; without them answers are compared for as long as they are equal.
    """
    ours, theirs = _by_question(alone), _by_question(reference)
    both = sorted(set(ours) & set(theirs))
    samples, expected = samples_of(alone), samples_of(reference)
    named = _agreement(ours, theirs, _by_question(scored))
    try:
        distance = two_sample(samples, expected)
    except UsageError:
        distance = None
    tasks = {task: one for task in TASKS if (one := _task(task, both, ours, theirs))}
    calls, reference_calls = _tools(both, ours, theirs)
    return Verdict(
        quality=quality(named, distance, tasks),
        agreement=named,
        two_sample=distance,
        tasks=tasks,
        tools=calls,
        reference_tools=reference_calls,
        sampling=audit(list(ours.values()), _by_question(scored)),
        stored=stored(samples, expected),
        cut=cut(alone, reference),
        loaded=under_load(loaded, alone, reference),
        answered=len(well(alone)),
        asked=len(alone),
    )


def quality(
    named: Agreement | None, distance: TwoSample | None, tasks: Mapping[str, Paired]
) -> Quality:
    """The class of rule 40. Log-probabilities decide where there are enough of them; where there
    are not, they can still show that a model is another.
    """
    if any(one.worse and one.reference - one.served > MUCH_WORSE for one in tasks.values()):
        return "different"
    if named is not None and _is_another(named):
        return "different"
    worse = any(one.worse for one in tasks.values())
    if named is not None and named.places >= FEWEST_PLACES:
        return _by_distance(named, worse)
    if distance is None or distance.equivalent is None:
        return "unproven"
    if named is not None and named.kl_low > EQUIVALENT:
        return "unproven"
    if distance.equivalent and distance.p > APART and not worse:
        return "equivalent"
    return "different" if distance.p <= APART else "unproven"


def _is_another(named: Agreement) -> bool:
    """Whether even few places show it: far apart, or seldom of one mind about the next token."""
    often = named.first >= HALF or named.answers < FEWEST_ANSWERS
    return named.kl_low > APPROXIMATE or not often


def _by_distance(named: Agreement, worse: bool) -> Quality:
    if named.kl_high <= EQUIVALENT and not worse:
        return "identical" if named.missed == 0 else "equivalent"
    return "approximate" if named.kl_high <= APPROXIMATE else "different"


def _by_question(records: Sequence[Record]) -> dict[int, Record]:
    return {r.check["question"]: r for r in records if r.failure is None and "question" in r.check}


def _agreement(
    ours: Mapping[int, Record], theirs: Mapping[int, Record], scored: Mapping[int, Record]
) -> Agreement | None:
    """Of the answers with log-probabilities: those with a seed only where they were scored, since
    otherwise a token that was drawn says nothing of the next one.
    """
    found: list[Place] = []
    for question, record in ours.items():
        greedy = record.check["gate"] == "logprobs"
        other = scored.get(question) or (theirs.get(question) if greedy else None)
        if record.logprobs and other is not None:
            found += places(record, other, question)
    return agreement(found)


def _task(
    task: str, both: Sequence[int], ours: Mapping[int, Record], theirs: Mapping[int, Record]
) -> Paired | None:
    items = [q for q in both if ours[q].check.get("task") == task]
    checks = [ours[q].check["right"] for q in items]
    return paired(
        [right(task, ours[q].text, check) for q, check in zip(items, checks, strict=True)],
        [right(task, theirs[q].text, check) for q, check in zip(items, checks, strict=True)],
    )


def _tools(
    both: Sequence[int], ours: Mapping[int, Record], theirs: Mapping[int, Record]
) -> tuple[Tools | None, Tools | None]:
    """Of the served model against the reference's calls, and of the reference against the truth."""
    items = [q for q in both if ours[q].check["gate"] == "tools"]
    if not items:
        return None, None
    mine = [score(ours[q].calls, ours[q].check["right"]) for q in items]
    other = [score(theirs[q].calls, theirs[q].check["right"]) for q in items]
    return (
        tools(
            [one.called for one in mine],
            [one.called for one in other],
            [valid for one in mine for valid in one.valid],
        ),
        tools(
            [one.called for one in other],
            [one.expected for one in other],
            [valid for one in other for valid in one.valid],
        ),
    )
