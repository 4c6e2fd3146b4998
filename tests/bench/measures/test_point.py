"""A point as a whole: figures by hand, and what they may not depend on."""

from __future__ import annotations

import json
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openhearth.bench.measures import PointMeasures, Verdict, measure
from openhearth.bench.measures.tokens import ByBytes, ByTokenizer, Counter
from openhearth.bench.recipe import AllAtOnce, Callers, Recipe
from openhearth.bench.records import Failure, Record
from openhearth.data.tokenizer import Tokenizer
from tests.bench.measures.build import OBJECTIVE, RECIPE, poisson, queue, record
from tests.conftest import write_tokenizer


def _measured(records: list[Record], seconds: float = 60, **rest: object) -> PointMeasures:
    return measure(records, RECIPE, ByBytes(), seconds=seconds, **rest)  # type: ignore[arg-type]


def _steady(count: int = 120, **rest: object) -> list[Record]:
    """Two requests a second, answered with 1 and 3 tokens after a quarter and half a second."""
    return [record(n * 0.5, (0.25, 1), (0.5, 3), number=n, **rest) for n in range(count)]


def test_a_point_by_hand() -> None:
    found = _measured(_steady())
    assert (found.window.begin, found.window.end) == (10, 60)
    answers, rates = found.answers, found.answers.rates
    assert (answers.requests, answers.tokens, answers.prompt_tokens) == (100, 400, 300)
    assert (answers.answer_bytes, answers.prompt_bytes) == (1600, 1200)
    assert answers.chunks == 200
    assert answers.tokens_per_chunk == 2
    assert (rates.requests, rates.goodput) == (2, 2)
    # Of a request that is due at 9.5 the last three tokens come at 10; of one at 59.5 they come at
    # 60, which is after the window.
    assert rates.tokens == 400 / 50
    assert rates.total_tokens == 700 / 50
    assert rates.useful_tokens == 400 / 50
    assert rates.useful_prompt_tokens == 300 / 50
    assert answers.ttft_ms
    assert answers.ttft_ms.p99.value == 250
    assert answers.e2e_ms
    assert answers.e2e_ms.p50.value == 500
    assert answers.itl_ms
    assert answers.itl_ms.p50.value == pytest.approx(250 / 3)
    assert answers.icl_ms
    assert answers.icl_ms.p50.value == 250
    assert answers.fluidity
    assert answers.fluidity.p99.value == 1
    assert found.verdict is Verdict.HOLDS
    assert found.findings == []
    assert found.workloads == {"chat": answers}


def test_failures_miss_and_count_and_are_named() -> None:
    records = _steady()
    for one in records[::4]:
        one.failure = Failure.SERVER
    for one in records[1::4]:
        one.hung_up = True
    found = _measured(records)
    assert found.window.begin == 20  # half of the answers have an end of the server's making
    assert found.answers.requests == 80
    assert found.answers.errors == {"server": 20}
    assert found.errors == {"server": 30}
    assert found.answers.hung_up == 20
    assert found.answers.objective.misses == 20
    assert found.verdict is Verdict.FAILS
    assert found.answers.ttft_ms
    assert found.answers.ttft_ms.count == 80
    assert found.to_dict()["answers"]["ttft_ms"]["p90"]["value"] is None  # later than any bound
    assert found.answers.ttft_ms.p50.value == 250
    assert found.answers.e2e_ms
    assert found.answers.e2e_ms.count == 60
    assert found.answers.rates.goodput == 1.5


def test_workloads_are_told_apart() -> None:
    records = _steady()
    for one in records[::2]:
        one.workload = "code"
        one.chunks = one.chunks[:1]
    found = _measured(records)
    assert set(found.workloads) == {"chat", "code"}
    assert found.workloads["code"].tokens == 50
    assert found.workloads["chat"].tokens == 200
    assert found.answers.tokens == 250
    assert found.workloads["code"].tpot_ms is None


def test_a_rate_that_is_not_sustained_is_undecided_though_all_keep_the_objective() -> None:
    dues = [n * 0.1 for n in range(600)]
    records = queue(dues, [0.101] * 600, 1)
    found = measure(
        records,
        RECIPE.model_copy(update={"objective": OBJECTIVE.model_copy(update={"ttft_ms": 5000})}),
        ByBytes(),
        seconds=60,
    )
    assert found.answers.objective.verdict is Verdict.HOLDS
    assert found.verdict is Verdict.UNDECIDED
    assert "rule 16" in found.findings


def test_a_late_generator_makes_no_valid_point() -> None:
    in_time = _measured(
        [record(n * 0.5, (0.25, 1), number=n, sent=n * 0.5 + 0.04) for n in range(120)]
    )
    assert in_time.lateness
    assert in_time.lateness.bound_ms == 50  # 5 % of a second
    assert in_time.lateness.p99_ms == pytest.approx(40)
    assert in_time.valid
    late = _measured(
        [record(n * 0.5, (0.25, 1), number=n, sent=n * 0.5 + 0.06) for n in range(120)]
    )
    assert not late.valid
    assert "rule 13" in late.findings


def test_short_and_partial_points_are_marked() -> None:
    assert "rule 17" in _measured(_steady(99)).findings
    assert "rule 17" in _measured(_steady(), seconds=59).findings
    assert "rule 58" in _measured(_steady(), missing=1).findings
    broken = _steady()
    broken[-1].failure = Failure.BROKEN_OFF
    assert _measured(broken).partial


def test_who_gets_slower_is_found() -> None:
    records = [
        record(n * 0.5, ((0.25 if n < 70 else 0.5) + n % 3 / 16, 1), number=n) for n in range(120)
    ]
    assert "rule 44" in _measured(records).findings


def test_usage_is_compared_by_a_tokenizer_only(tmp_path: object) -> None:
    assert _measured(_steady(completion_tokens=9), template=1).answer_usage is None
    by = _tokenizer(tmp_path)
    told = by.count("word" * 4)
    found = measure(_steady(completion_tokens=told), RECIPE, by, seconds=60)
    assert found.answer_usage
    assert not found.answer_usage.differs
    assert found.prompt_usage is None
    more = _steady(completion_tokens=told + 3, prompt_tokens=5 + by.count("word" * 3))
    found = measure(more, RECIPE, by, seconds=60, template=5)
    assert found.prompt_usage
    assert not found.prompt_usage.differs
    assert "rule 25" in found.findings


def test_a_batch_is_measured_from_its_beginning_to_its_end() -> None:
    batch = Recipe(name="b", workloads={"batch": 1}, load=AllAtOnce(arrivals="all_at_once"))
    records = queue([0.0] * 100, [0.5] * 100, 5)
    found = measure(records, batch, ByBytes(), seconds=1)
    assert (found.window.begin, found.window.end) == (0, 10)
    assert found.answers.requests == 100
    assert found.answers.rates.requests == 10


def test_callers_are_measured_until_the_last_answer() -> None:
    one = Callers(arrivals="callers", callers=1)
    alone = Recipe(name="alone", workloads={"chat": 1}, load=one)
    found = measure(_steady(30), alone, ByBytes(), seconds=60)
    assert (found.window.begin, found.window.end) == (5, 15)
    assert found.answers.rates.tokens == 8


def test_of_nothing_there_are_figures_too() -> None:
    found = _measured([])
    assert found.requests == 0
    assert found.answers.ttft_ms is None
    assert found.lateness is None
    assert found.verdict is Verdict.UNDECIDED
    assert json.dumps(found.to_dict())


def _drawn(seed: int) -> list[Record]:
    generator = np.random.default_rng(seed)
    dues = poisson(1.5, 60, seed)
    records = queue(dues, generator.exponential(1.0, len(dues)).tolist(), 3)
    for one in records[:: int(generator.integers(3, 20))]:
        one.failure = Failure.TIMEOUT
    for number, one in enumerate(records):
        one.workload = ("chat", "code")[number % 2]
    return records


@settings(max_examples=3)
@given(st.integers(0, 10_000), st.randoms(use_true_random=False))
def test_shares_of_processes_give_the_same_figures_in_any_order(
    seed: int, by: random.Random
) -> None:
    records = _drawn(seed)
    whole = _measured(records)
    by.shuffle(records)
    again = _measured(records)
    assert again == whole
    assert json.dumps(again.to_dict(), allow_nan=False) == json.dumps(whole.to_dict())


def test_all_figures_are_plain_data() -> None:
    told = _measured(_drawn(1)).to_dict()
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    assert set(told["answers"]) >= {
        "ttft_ms", "ttfo_ms", "itl_ms", "icl_ms", "tpot_ms", "ntpot_ms", "e2e_ms", "connect_ms",
        "fluidity", "rates", "errors", "objective", "tokens_per_chunk",
    }  # fmt: skip
    assert set(told["workloads"]) == {"chat", "code"}
    assert told["verdict"] in ("holds", "fails", "undecided")
    assert told["tokens_by"] == "4 bytes"


def _tokenizer(directory: object) -> Counter:
    write_tokenizer(directory)  # type: ignore[arg-type]
    return ByTokenizer(Tokenizer.load(directory), "tiny")  # type: ignore[arg-type]
