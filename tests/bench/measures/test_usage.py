"""What the server counts, against what was counted."""

from __future__ import annotations

from dataclasses import replace

from openhearth.bench.measures import timings
from openhearth.bench.measures.tokens import ByBytes
from openhearth.bench.measures.usage import Comparison, compare_answers, compare_prompts
from openhearth.bench.records import Failure, Part
from tests.bench.measures.build import TOKEN, timing


def test_answers_are_compared_in_sum() -> None:
    honest = [timing(0, (1, 100), completion_tokens=100) for _ in range(10)]
    assert compare_answers(honest) == Comparison(10, 1000, 1000)
    more = [*honest[:-1], timing(0, (1, 100), completion_tokens=110)]
    assert compare_answers(more).told == 1009  # its end may have been counted
    assert not compare_answers(more).differs
    assert compare_answers([timing(0, (1, 100), completion_tokens=103)] * 10).differs
    assert compare_answers([timing(0, (1, 100), completion_tokens=98)] * 10).differs


def test_an_end_token_may_be_counted_where_the_model_ended() -> None:
    short = [timing(0, (1, 10), completion_tokens=11) for _ in range(10)]
    assert not compare_answers(short).differs
    cut = [timing(0, (1, 10), completion_tokens=11, finish="length") for _ in range(10)]
    assert compare_answers(cut).differs


def test_what_cannot_be_compared_is_left_out() -> None:
    thought = timing(0, (1, 10), completion_tokens=14)
    thought.record.chunks[0] = replace(thought.record.chunks[0], part=Part.THOUGHT)
    rest = [
        *timings([thought.record], ByBytes()),
        timing(0, (1, 10)),
        timing(0, (1, 10), completion_tokens=30, hung_up=True),
        timing(0, (1, 10), completion_tokens=30, failure=Failure.CUT),
    ]
    assert compare_answers(rest) == Comparison(0, 0, 0)
    assert not compare_answers(rest).differs


def test_prompts_are_compared_beyond_the_template() -> None:
    def asked(told: int, count: int = 100) -> dict[str, object]:
        message = {"role": "user", "content": TOKEN * count}
        return {"request": {"messages": [message]}, "prompt_tokens": told}

    honest = [timing(0, **asked(107)) for _ in range(5)]
    assert compare_prompts(honest, template=7) == Comparison(5, 500, 500)
    assert compare_prompts([timing(0, **asked(120)) for _ in range(5)], template=7).differs
    turns = {"request": {"messages": [{"content": "a"}, {"content": "b"}]}, "prompt_tokens": 50}
    assert compare_prompts([timing(0, **turns)], template=7).texts == 0
