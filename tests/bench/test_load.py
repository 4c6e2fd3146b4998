"""The load generator against a real server: what it sends, when, and what it makes of answers."""

from __future__ import annotations

import asyncio
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openhearth.bench.load import Record, Target, fixed_concurrency, open_loop, poisson
from tests.bench.conftest import ANSWER, Script, event, piece

ASK = [{"role": "user", "content": "Hello"}]


def ask(target: Target, count: int = 1, callers: int = 1) -> list[Record]:
    return asyncio.run(fixed_concurrency(target, [ASK] * count, callers))


def test_an_answer_is_timed_piece_by_piece(script: Script) -> None:
    (record,) = ask(script.target)
    assert record.error is None
    assert record.text == "Hello"
    assert (record.prompt_tokens, record.completion_tokens) == (5, 3)
    assert len(record.arrivals) == 2  # the chunks with text, not those with a role or usage
    times = [record.scheduled, record.sent, *record.arrivals, record.ended]
    assert times == sorted(times)
    assert script.keys == ["Bearer key"]
    (body,) = script.bodies
    assert body["messages"] == ASK
    assert (body["model"], body["max_tokens"], body["temperature"]) == ("m", 7, 0)
    assert "logit_bias" not in body


def test_tokens_that_end_an_answer_can_be_ruled_out(script: Script) -> None:
    ask(Target(script.url, "key", "m", ignore=(2,)))
    assert script.bodies[0]["logit_bias"] == {"2": -100}


def test_callers_never_have_more_under_way_than_they_are(script: Script) -> None:
    script.wait_for = 3
    assert len(ask(script.target, count=12, callers=3)) == 12
    assert script.most == 3
    assert len(script.bodies) == 12


def test_an_open_loop_does_not_wait_for_answers(script: Script) -> None:
    """The server answers nobody until all eight have asked: only an open loop gets through."""
    script.wait_for = 8
    seen: list[int] = []
    records = asyncio.run(
        open_loop(script.target, [ASK] * 8, poisson(1000, 8), lambda n: seen.append(n))
    )
    assert [r.error for r in records] == [None] * 8
    assert seen == list(range(1, 9))
    assert script.most == 8


def test_waiting_counts_from_the_scheduled_instant(script: Script) -> None:
    records = asyncio.run(open_loop(script.target, [ASK] * 3, [0.0, 0.01, 0.02]))
    first = records[0].scheduled
    assert [round(r.scheduled - first, 6) for r in records] == [0.0, 0.01, 0.02]
    assert all(r.sent >= r.scheduled for r in records)


@pytest.mark.parametrize(
    ("lines", "error"),
    [
        ([*ANSWER[:3], ANSWER[-1]], "no usage"),
        ([piece("x"), event(error={"message": "died"}), *ANSWER[-2:]], "error in the stream"),
        (["data: {broken\n\n"], "JSONDecodeError"),
        ([event(choices=[{}])], "KeyError"),
        ([], "no usage"),
    ],
)
def test_a_bad_answer_is_an_error_of_its_kind(lines: list[str], error: str, script: Script) -> None:
    script.lines = lines
    assert ask(script.target)[0].error == error


def test_a_refusal_and_a_missing_server_are_errors_too(script: Script) -> None:
    script.status = 429
    assert ask(script.target)[0].error == "HTTP 429"
    assert ask(Target("http://127.0.0.1:1", "key", "m"))[0].error == "ConnectError"


@given(st.floats(0.1, 100), st.integers(1, 200), st.integers(0, 2**32))
def test_poisson_times_begin_at_zero_and_never_go_back(rate: float, count: int, seed: int) -> None:
    times = poisson(rate, count, seed)
    assert len(times) == count
    assert times[0] == 0
    assert times == sorted(times)
    assert times == poisson(rate, count, seed)


def test_poisson_gaps_have_the_mean_and_spread_of_their_rate() -> None:
    """An exponential gap has mean and standard deviation 1 / rate; 20 000 draws come within 3 %."""
    times = poisson(4.0, 20_000)
    gaps = [b - a for a, b in itertools.pairwise(times)]
    mean = sum(gaps) / len(gaps)
    spread = (sum((gap - mean) ** 2 for gap in gaps) / len(gaps)) ** 0.5
    assert mean == pytest.approx(0.25, rel=0.03)
    assert spread == pytest.approx(0.25, rel=0.03)
