"""The benchmark against servers of known truth: is each measure right, and is each lie found?

The servers are stubs (`openhearth.bench.stub`) whose speed, capacity, model and lies are set. Of
each lie some trials are made, with seeds of their own, and twice as many of each honest server,
which must not be accused. Prints the tables of docs/reference/benchmark-protocol.md, section L.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from statistics import fmean, median

from _lies import EQUIVALENT, HONEST_ONES, LIES, LOAD, Lie, Seen, reference, session, trial

from openhearth.bench.recipe import Poisson
from openhearth.bench.records import Record
from openhearth.bench.runs import sweep
from openhearth.bench.stub import Times, Truth, log_of, stub

TOGETHER = 3  # trials: most of a trial is waiting
HONEST_RUNS = 2  # of each honest server, for one of a lie
# How often each rule accuses who is honest: the size of its test, or of all that it has.
STATED = {13: "none", 16: "5 %", 25: "none", 41: "1/3 %", 42: "1/3 %", 43: "1/3 %", 44: "1 %"}
PLAIN = LOAD.model_copy(update={"gate": None})


def measures() -> Iterator[tuple[str, float, float, float]]:
    """Name, what was set, what the stub did by its own log, and what was measured, in milliseconds
    or requests a second.
    """
    for chunk in (1, 4):
        truth = Truth(first=Times(median_s=0.1), gap=Times(median_s=0.02), chunk=chunk, canned=48)
        with stub(truth) as url:
            point = session(url, PLAIN, 1).point("ranked")
            log = [entry for entry in log_of(url) if not entry["left"]]
        first = median(entry["writes"][0] - entry["came"] for entry in log)
        rest = median(entry["writes"][-1] - entry["writes"][0] for entry in log)
        answers = point.answers
        assert answers.ttft_ms
        assert answers.tpot_ms
        yield f"TTFT, chunks of {chunk}", 100.0, 1e3 * first, answers.ttft_ms.p50.value
        told = 1e3 * rest / (48 - chunk)
        yield f"TPOT, chunks of {chunk}", 20.0 / chunk, told, answers.tpot_ms.p50.value
    # Four at once, each 0.1 s and 15 gaps of 0.01 s: 4 / 0.25 s are 16 a second at most.
    truth = Truth(first=Times(median_s=0.1), gap=Times(median_s=0.01), canned=16, at_once=4)
    recipe = PLAIN.model_copy(update={"load": Poisson(rate=8), "seconds": 8.0})
    with stub(truth) as url:
        yield "capacity, at most", 16.0, 16.0, sweep(session(url, recipe, 1)).rate


def trials(pool: ProcessPoolExecutor, runs: int) -> Iterator[tuple[Lie, list[Seen]]]:
    """What was seen of each lie, and of those who are honest. Where the client is disturbed, nobody
    else is at work.
    """
    honest = [Lie(name, truth, 0, loaded=True) for name, truth in HONEST_ONES.items()]
    seeds = range(HONEST_RUNS * runs)
    answers = list(pool.map(reference, [LOAD] * len(seeds), seeds))
    plan = [(lie, runs) for lie in LIES] + [(lie, len(seeds)) for lie in honest]
    calm = [one for one in plan if not one[0].disturbed]
    jobs = [(lie, seed) for lie, count in calm for seed in range(count)]
    came = pool.map(_trial, jobs, [answers[seed] for _, seed in jobs])
    for lie, count in calm:
        yield lie, [next(came) for _ in range(count)]
    for lie, count in plan:
        if lie.disturbed:
            yield lie, [_trial((lie, seed), answers[seed]) for seed in range(count)]


def _trial(job: tuple[Lie, int], answers: Sequence[Record]) -> Seen:
    lie, seed = job
    return trial(lie, LOAD, seed, answers)


def row(lie: Lie, seen: Sequence[Seen]) -> str:
    """Of the table of lies."""
    found = sum(lie.found(one) for one in seen)
    kls = [one.kl for one in seen if one.kl is not None]
    said = ", ".join(sorted(set(filter(None, (one.quality for one in seen))))) or "-"
    kl = f"{fmean(kls):.2g}" if kls else "-"
    return f"| {lie.name} | {lie.rule} | {found} of {len(seen)} | {said} | {kl} |"


def accusations(seen: Sequence[Seen]) -> Iterator[str]:
    """Of honest servers: the rows of their table."""
    by_rule = Counter(rule for one in seen for rule in one.rules)
    worse = sum(one.quality not in EQUIVALENT for one in seen)
    yield f"| 40: neither identical nor equivalent | {worse} of {len(seen)} | see rule 40 |"
    for rule, stated in STATED.items():
        yield f"| {rule} | {by_rule[rule]} of {len(seen)} | {stated} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args().runs
    print("| Measure | Set | Done, by the stub's log | Measured | Error |\n|---|---|---|---|---|")
    for name, was_set, done, found in measures():
        error = f"{found / done - 1:+.1%}"
        print(f"| {name} | {was_set:g} | {done:.4g} | {found:.4g} | {error} |", flush=True)
    honest: list[Seen] = []
    print("\n| Lie | Rule | Found | Classes | Mean KL |\n|---|---|---|---|---|", flush=True)
    with ProcessPoolExecutor(TOGETHER) as pool:
        for lie, seen in trials(pool, runs):
            if lie.rule:
                print(row(lie, seen), flush=True)
            else:
                honest += seen
    print("\n| Rule | Honest servers accused | Stated |\n|---|---|---|")
    print("\n".join(accusations(honest)))


if __name__ == "__main__":
    main()
