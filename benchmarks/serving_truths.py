"""The benchmark against servers of known truth: is each measure right, and is each lie found?

The servers are stubs (`openhearth.bench.stub`) whose speed, capacity, model and lies are set. Of
each lie some runs are made, with seeds of their own, and as many of an honest server, which must
not be accused. Prints the tables of docs/reference/benchmark-protocol.md.
"""

from __future__ import annotations

import argparse
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

from openhearth.bench.gate import Verdict, canaries, judge, questions
from openhearth.bench.load import Target, carry_out
from openhearth.bench.measures import PointMeasures
from openhearth.bench.recipe import Gate, Poisson, Recipe
from openhearth.bench.records import Ask, Record
from openhearth.bench.report.disclosure import Entry
from openhearth.bench.runs import sweep
from openhearth.bench.session import Session, Side
from openhearth.bench.stub import Answering, Times, Truth, stub

HONEST = Truth(serves=Answering(length=40))
GATE = Gate(canaries=0.3, prompts=20, samples=8, max_tokens=40, tasks=10)
LOAD = Recipe(
    name="truths", workloads={"chat": 1}, load=Poisson(rate=12), seconds=15, requests=50, gate=GATE
)


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
class Lie:
    """What a server does, and how that is to be found."""

    name: str
    truth: Truth
    found: Callable[[Verdict, PointMeasures], bool]
    disturbed: bool = False  # the client is


def served(**serves: Any) -> Truth:
    """An honest server's speed, with another model."""
    return HONEST.model_copy(update={"serves": HONEST.serves.model_copy(update=serves)})


def other(**truth: Any) -> Truth:
    """An honest server but for these."""
    return HONEST.model_copy(update=truth)


def is_class(*classes: str) -> Callable[[Verdict, PointMeasures], bool]:
    return lambda verdict, _: verdict.quality in classes


def breaks(rule: int) -> Callable[[Verdict, PointMeasures], bool]:
    return lambda verdict, point: f"rule {rule}" in [*verdict.findings, *point.findings]


FAST = Times(median_s=0.02)
LIES = (
    Lie("honest", HONEST, lambda v, p: v.quality not in ("identical", "equivalent")
        or bool(set(v.findings + p.findings) - {"rule 17"})),
    Lie("little noise (0.02 of logits)", served(sigma=0.02), is_class("approximate")),
    Lie("coarser weights (noise 0.2)", served(sigma=0.2), is_class("approximate", "different")),
    Lie("much coarser weights (noise 0.5)", served(sigma=0.5), is_class("different")),
    Lie("a smaller model, a tenth of the logits", served(other=0.1),
        is_class("approximate", "different")),
    Lie("a smaller model", served(other=1.0), is_class("different")),
    Lie("stored answers", other(stores=True), breaks(41)),
    Lie("answers cut by half", served(shorter=0.5), breaks(42)),
    Lie("another model from 4 requests at once on",
        other(first=FAST, gap=FAST, instead=HONEST.serves.model_copy(update={"other": 1.0}),
              instead_from=4), breaks(43)),
    Lie("usage told 1.1 times", other(usage_factor=1.1), breaks(25)),
    Lie("fast only for the first 7 s", other(first=FAST, gap=Times(median_s=0.005),
        slower_after_s=9, slower_by=3.0), breaks(44)),
    Lie("a client without time", HONEST, breaks(13), disturbed=True),
)  # fmt: skip


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


def session(url: str, recipe: Recipe, seed: int, asked: Sequence[Ask] = ()) -> Session:
    """Of one stub."""
    side = Side(Target(url, "stub"), Entry(url=url, model="stub"))
    return Session(recipe, seed, [side], Words(), canaries(asked))


def examine(
    lie: Lie, seed: int, asked: Sequence[Ask], answers: Sequence[Record]
) -> tuple[Verdict, PointMeasures]:
    """The gate's verdict on a stub, and the figures of a load."""
    with stub(lie.truth) as url:
        it = session(url, LOAD, seed, asked)
        alone = it.ask_alone(asked)
        with busy() if lie.disturbed else nullcontext():
            point = it.point("ranked")
        loaded = [record for record in it.last if "gate" in record.check]
    return judge(alone, loaded, answers), point


def lies(runs: int) -> Iterator[tuple[str, int, float | None]]:
    """Of each lie, how often it was found, and the mean KL."""
    for lie in LIES:
        found, kls = 0, []
        for seed in range(runs):
            asked = questions(LOAD, GATE, seed)
            with stub(HONEST) as url:
                answers = carry_out(Target(url, "stub"), asked, callers=4).records
            verdict, point = examine(lie, seed, asked, answers)
            found += lie.found(verdict, point)
            kls += [verdict.agreement.kl] if verdict.agreement else []
        yield lie.name, found, sum(kls) / len(kls) if kls else None


def measures() -> Iterator[tuple[str, float, float]]:
    """Name, truth and what was measured, in milliseconds or requests a second."""
    for chunk in (1, 4):
        truth = Truth(first=Times(median_s=0.1), gap=Times(median_s=0.02), chunk=chunk, canned=48)
        with stub(truth) as url:
            point = session(url, LOAD.model_copy(update={"gate": None}), 1).point("ranked")
        answers = point.answers
        assert answers.ttft_ms
        assert answers.tpot_ms
        yield f"TTFT, {chunk} tokens a chunk", 100.0, answers.ttft_ms.p50.value
        yield f"TPOT, {chunk} tokens a chunk", 20.0 / chunk, answers.tpot_ms.p50.value
    # Four at once, each 0.1 s and 16 chunks 0.01 s apart: 4 / 0.25 s are 16 a second at most.
    truth = Truth(first=Times(median_s=0.1), gap=Times(median_s=0.01), canned=16, at_once=4)
    recipe = LOAD.model_copy(update={"gate": None, "load": Poisson(rate=8), "seconds": 8.0})
    with stub(truth) as url:
        yield "capacity, at most", 16.0, sweep(session(url, recipe, 1)).rate


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10)
    runs = parser.parse_args().runs
    print("# Measures\n\n| What | Truth | Measured | Error |\n|---|---|---|---|")
    for name, truth, found in measures():
        print(f"| {name} | {truth:g} | {found:.4g} | {found / truth - 1:+.1%} |", flush=True)
    print(f"\n# Lies, {runs} runs each\n\n| Server | Found | Mean KL |\n|---|---|---|")
    for name, times, kl in lies(runs):
        print(f"| {name} | {times} | {'-' if kl is None else f'{kl:.2g}'} |", flush=True)


if __name__ == "__main__":
    main()
