"""Several streams read as one: order within each, usage over all, and how they end."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from openhearth.errors import HearthError
from openhearth.inference.request import Delta, EngineBusy, Request, Sampling, Timings, Usage
from openhearth.platform.generation import Generation

SPEECH = "Grüße 🔥 an alle, die hier wärmen. " * 200


def request(tokens: int = 5, model: str = "tiny", **sampling: Any) -> Request:
    return Request(model, [1, 2, 3], Sampling(max_tokens=tokens, **sampling))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(lengths=st.lists(st.integers(1, 40), min_size=1, max_size=6), choices=st.integers(1, 3))
def test_every_answer_is_whole_and_every_token_counted_once(
    lengths: list[int], choices: int, engine: Any
) -> None:
    engine.room = 1000
    requests = [request(n) for n in lengths for _ in range(choices)]
    generation = Generation(engine, requests, choices)
    answers = asyncio.run(generation.answers())
    expected = [SPEECH.encode()[: r.sampling.max_tokens].decode(errors="ignore") for r in requests]
    assert [answer.text for answer in answers] == expected
    assert generation.finished
    assert generation.usage == Usage(3 * len(lengths), choices * sum(lengths))


def test_a_shared_prompt_is_counted_once_and_the_longest_time_counts(engine: Any) -> None:
    generation = Generation(engine, [request(3), request(3)], choices=2)
    for index, total in enumerate((2.0, 1.0)):
        last = Delta("", finish_reason="stop", usage=Usage(9, 3, 4), timings=Timings(0, 1, total))
        generation._account(index, last)
    assert generation.usage == Usage(9, 6, 4)
    assert generation.timings == Timings(0, 1, 2.0)


def test_streams_run_side_by_side(engine: Any) -> None:
    async def main() -> list[int]:
        generation = Generation(engine, [request(20), request(20)])
        async with aclosing(generation.deltas()) as deltas:
            return [index async for index, _ in deltas]

    order = asyncio.run(main())
    assert order != sorted(order)


def test_leaving_cancels_what_still_runs(engine: Any) -> None:
    async def main() -> Delta:
        generation = Generation(engine, [request(2000, "slow"), request(2000, "slow")])
        async with generation, aclosing(generation.deltas()) as deltas:
            return (await anext(deltas))[1]

    assert asyncio.run(main()).text == "G"
    assert [stream.cancelled for stream in engine.streams] == [True, True]


def test_one_failure_fails_all(engine: Any) -> None:
    generation = Generation(engine, [request(2000, "slow"), request(9, "breaks")])
    with pytest.raises(HearthError, match="disk failed"):
        asyncio.run(generation.answers())


def test_an_engine_that_closes_is_not_taken_for_an_end(engine: Any) -> None:
    generation = Generation(engine, [request(9)])
    engine.close()
    with pytest.raises(EngineBusy, match="stopping"):
        asyncio.run(generation.answers())


def test_without_room_for_all_none_runs(engine: Any) -> None:
    engine.room = 1
    with pytest.raises(EngineBusy):
        Generation(engine, [request(), request()])
    assert [stream.cancelled for stream in engine.streams] == [True]
