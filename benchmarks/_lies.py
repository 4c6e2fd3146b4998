"""Servers that lie, or are honest, and what the benchmark says of each.

A *trial* is one run against one stub: the gate's questions alone, a load with questions mixed in,
or both, as far as the lie can show there. The reference is an honest stub, which scores the tokens
of served answers as a model of the store does.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

from openhearth.bench.draws import stream
from openhearth.bench.gate import canaries, judge, questions
from openhearth.bench.load import Target, carry_out
from openhearth.bench.recipe import Gate, Poisson, Recipe
from openhearth.bench.records import Ask, Record
from openhearth.bench.report.disclosure import Entry
from openhearth.bench.session import Session, Side
from openhearth.bench.stub import Answering, Language, Times, Truth, render, stub
from openhearth.bench.stub.answers import question_key
from openhearth.bench.stub.language import WORDS
from openhearth.bench.tasks import TASKS, make

HONEST = Truth(
    serves=Answering(length=40), first=Times(median_s=0.1, sigma=0.2), gap=Times(median_s=0.01)
)
LOAD = Recipe(
    name="truths",
    workloads={"chat": 1},
    load=Poisson(rate=12),
    seconds=10,
    requests=50,
    gate=Gate(canaries=0.5, prompts=14, samples=6, max_tokens=40, tasks=8),
)
TOP = 20  # tokens that the reference names at each place
APART = 1_000_000  # between a server's seed and its reference's, so that they draw other answers
EQUIVALENT = ("identical", "equivalent")


class Words:
    """Counts the stub's own tokens, which are words."""

    name, exact = "words", True

    def count(self, text: str) -> int:
        return len(text.split())

    def shares(self, chunks: Sequence[str]) -> list[int]:
        counts, text, before = [], "", 0
        for chunk in chunks:
            text += chunk
            counts.append(self.count(text) - before)
            before += counts[-1]
        return counts


@dataclass(frozen=True)
class Seen:
    """What the benchmark told of a server: its class, if it was asked alone, the mean KL in nats,
    and findings by rule.
    """

    quality: str | None
    kl: float | None
    rules: frozenset[int]


@dataclass(frozen=True)
class Lie:
    """What a server does, and by which rule, or as which classes, that is to be found."""

    name: str
    truth: Truth
    rule: int
    classes: tuple[str, ...] = ()
    alone: bool = True  # it is asked the gate's questions alone,
    loaded: bool = False  # and under load
    disturbed: bool = False  # the client is
    seconds: float | None = None  # of load, if another length than the others' is needed

    def found(self, seen: Seen) -> bool:
        """Whether the benchmark says so."""
        return seen.quality in self.classes if self.classes else self.rule in seen.rules


def served(**serves: Any) -> Truth:
    """An honest server's speed, with another model."""
    return HONEST.model_copy(update={"serves": HONEST.serves.model_copy(update=serves)})


def other(**truth: Any) -> Truth:
    """An honest server but for these."""
    return HONEST.model_copy(update=truth)


SMALLER = HONEST.serves.model_copy(update={"other": 0.3, "solves": 0.25})
HONEST_ONES = {
    "honest": HONEST,
    "honest, four tokens a chunk": other(chunk=4, gap=Times(median_s=0.04)),
}
LIES = (
    Lie("hardly coarser weights (noise of 0.02 on logits)", served(sigma=0.02), 40,
        ("equivalent",)),
    Lie("coarser weights (noise of 0.2)", served(sigma=0.2), 40, ("approximate", "different")),
    Lie("much coarser weights (noise of 0.5)", served(sigma=0.5), 40,
        ("approximate", "different")),
    Lie("a tenth of another model's logits", served(other=0.1), 40,
        ("approximate", "different")),
    Lie("a smaller model (0.3 of other logits, a quarter of the tasks)", other(serves=SMALLER), 40,
        ("different",)),
    Lie("another model", served(other=1.0), 40, ("different",)),
    Lie("the same logits, a quarter of the tasks", served(solves=0.25), 40, ("different",)),
    Lie("stored answers", other(stores=True), 41),
    Lie("answers cut to half", served(shorter=0.5), 42),
    Lie("a smaller model from four requests at once on",
        other(instead=SMALLER, instead_from=4), 43, loaded=True, seconds=60),
    Lie("another model, as good at tasks, from four requests at once on",
        other(instead=HONEST.serves.model_copy(update={"other": 1.0}), instead_from=4), 43,
        loaded=True, seconds=60),
    Lie("the model only for questions that come alone",
        other(instead=SMALLER, instead_from=1), 43, loaded=True),
    Lie("usage told 1.1 times", other(usage_factor=1.1), 25, alone=False, loaded=True),
    Lie("three times slower after 6 s", other(slower_after_s=6, slower_by=3.0), 44,
        alone=False, loaded=True),
    Lie("a client without time", HONEST, 13, alone=False, loaded=True, disturbed=True),
)  # fmt: skip


def reference(recipe: Recipe, seed: int) -> list[Record]:
    """The answers of an honest server."""
    truth = _knowing(HONEST, recipe, seed).model_copy(update=_at_once() | {"seed": APART + seed})
    with stub(truth) as url:
        return carry_out(Target(url, "stub"), _asked(recipe, seed), callers=1).records


def trial(lie: Lie, recipe: Recipe, seed: int, answers: Sequence[Record]) -> Seen:
    """One run against a server, whose answers are held against the reference's."""
    recipe = recipe.model_copy(update={"seconds": lie.seconds or recipe.seconds})
    asked = _asked(recipe, seed)
    truth = _knowing(lie.truth, recipe, seed)
    alone: list[Record] = []
    loaded: list[Record] = []
    rules: set[int] = set()
    if lie.alone:
        with stub(truth.model_copy(update=_at_once())) as url:
            alone = session(url, recipe, seed).ask_alone(asked)
    if lie.loaded:
        with stub(truth) as url, busy() if lie.disturbed else nullcontext():
            it = session(url, recipe, seed, asked)
            rules |= _numbers(it.point("ranked").findings)
        loaded = [record for record in it.last if "gate" in record.check]
    if not alone:
        return Seen(None, None, frozenset(rules))
    verdict = judge(alone, loaded, answers, scores(alone))
    kl = verdict.agreement.kl if verdict.agreement else None
    return Seen(verdict.quality, kl, frozenset(rules | _numbers(verdict.findings)))


def session(url: str, recipe: Recipe, seed: int, asked: Sequence[Ask] = ()) -> Session:
    """Of one stub."""
    side = Side(Target(url, "stub"), Entry(url=url, model="stub"))
    return Session(recipe, seed, [side], Words(), canaries(asked))


def scores(records: Sequence[Record]) -> list[Record]:
    """The honest model's log-probabilities of the tokens of answers that came with some."""
    language = Language(HONEST.serves)
    return [
        replace(record, logprobs=_scored(language, record)) for record in records if record.logprobs
    ]


def _scored(language: Language, record: Record) -> list[dict[str, Any]]:
    text = render(record.request["messages"]) + record.text
    return [
        {
            "token": word,
            "logprob": choice.logprob,
            "top_logprobs": [{"token": WORDS[i], "logprob": logprob} for i, logprob in choice.top],
        }
        for word, choice in language.score(text, TOP)
        if choice is not None
    ]


@contextmanager
def busy() -> Iterator[None]:
    """Threads that leave the load generator little time."""
    end = threading.Event()

    def spin() -> None:
        while not end.is_set():
            sum(range(2_000_000))

    threads = [threading.Thread(target=spin, daemon=True) for _ in range(4)]
    for thread in threads:
        thread.start()
    yield
    end.set()
    for thread in threads:
        thread.join()


def _asked(recipe: Recipe, seed: int) -> list[Ask]:
    """Without code, each answer of which takes a process to check."""
    assert recipe.gate is not None
    asked = questions(recipe, recipe.gate, seed)
    return [ask for ask in asked if ask.check.get("task") != "code"]


def _knowing(truth: Truth, recipe: Recipe, seed: int) -> Truth:
    """With the right answers to the gate's tasks, and random numbers of its own."""
    assert recipe.gate is not None
    known = {
        question_key(question.text): question.example
        for task in TASKS
        for question in make(task, stream(seed, "gate", task), recipe.gate.tasks, recipe.tier)
    }
    return truth.model_copy(update={"known": known, "seed": seed})


def _at_once() -> dict[str, Any]:
    """Without waits: what is asked alone is not timed."""
    return {"first": Times(), "gap": Times()}


def _numbers(findings: Sequence[str]) -> set[int]:
    return {int(rule.removeprefix("rule ")) for rule in findings}
