"""When tokens came: waits from the due instant, shared out among tokens, whatever the chunks."""

from __future__ import annotations

import math
from dataclasses import replace

from hypothesis import given

from openhearth.bench.measures import timings
from openhearth.bench.measures.prompts import prompt_texts
from openhearth.bench.measures.tokens import ByBytes
from openhearth.bench.records import Chunk, Failure, Part
from tests.bench.measures.build import answers, record, ticks, timing


def test_an_answer_as_one_would_compute_it_by_hand() -> None:
    # Due at 10, chunks of 1, 3 and 2 tokens after 2, 5 and 6 seconds, over after 7.
    one = timing(10, (2, 1), (5, 3), (6, 2), ended=17.0, connect_s=0.25)
    assert (one.ttft, one.ttfo, one.tokens) == (2, 2, 6)
    assert list(one.itl()) == [(1, 3), (0.5, 2)]
    assert list(one.icl()) == [(3, 1), (1, 1)]
    assert one.tpot == 4 / 5
    assert one.e2e == 7
    assert one.ntpot == 7 / 6
    assert one.prompt_tokens == 3


def test_waits_count_from_the_due_instant_not_from_sending() -> None:
    assert timing(1, (2, 1), sent=2.5).ttft == 2


def test_thoughts_are_tokens_but_no_output() -> None:
    thinking = record(0, (1, 2), (3, 2))
    thinking.chunks[0] = replace(thinking.chunks[0], part=Part.THOUGHT)
    (one,) = timings([thinking], ByBytes())
    assert (one.ttft, one.ttfo, one.tokens) == (1, 3, 4)
    thinking.chunks[1] = replace(thinking.chunks[1], part=Part.TOOL_CALL)
    assert timings([thinking], ByBytes())[0].ttfo == 3


def test_a_chunk_without_a_whole_token_leaves_its_time_to_the_next_that_has_one() -> None:
    one = timing(0, (1, "word"), (2, ""), (4, "word"))
    assert one.events == ((1, 1), (4, 1))
    assert list(one.itl()) == [(3, 1)]
    assert len(list(one.icl())) == 2


def test_an_error_is_later_than_any_bound() -> None:
    one = timing(0, (1, 1), (2, 1), failure=Failure.CUT)
    assert one.ttft == one.ttfo == one.tpot == one.ntpot == one.e2e == math.inf
    assert timing(0, failure=Failure.SERVER).ttft == math.inf


def test_who_hangs_up_makes_the_end_not_the_server() -> None:
    one = timing(0, (1, 1), (2, 1), hung_up=True)
    assert one.ttft == 1
    assert one.tpot == 1
    assert one.e2e is None
    assert one.ntpot is None


def test_an_answer_of_one_chunk_has_no_time_per_token() -> None:
    assert timing(0, (1, 5)).tpot is None
    assert list(timing(0, (1, 5)).itl()) == []


def test_vectors_come_whole_at_the_end() -> None:
    request = {"input": ["one text", "two"]}
    one = timing(0, route="embeddings", request=request, ended=3.0)
    assert one.ttft == one.e2e == 3
    assert one.tpot is None
    assert one.prompt_tokens == 3


@given(answers(), ticks)
def test_latencies_of_all_tokens_add_up_to_the_time_between_first_and_last(
    chunks: list[tuple[float, int]], due: float
) -> None:
    one = timing(due, *chunks)
    total = sum(seconds * tokens for seconds, tokens in one.itl())
    assert math.isclose(total, chunks[-1][0] - chunks[0][0], abs_tol=1e-9)
    assert sum(seconds for seconds, _ in one.icl()) == chunks[-1][0] - chunks[0][0]
    assert sum(tokens for _, tokens in one.itl()) == one.tokens - chunks[0][1]


@given(answers(), ticks, ticks)
def test_nothing_depends_on_when_the_clock_began(
    chunks: list[tuple[float, int]], due: float, later: float
) -> None:
    one, other = timing(due, *chunks), timing(due + later, *chunks)
    assert [one.ttft, one.tpot, one.ntpot, one.e2e] == [
        other.ttft, other.tpot, other.ntpot, other.e2e,
    ]  # fmt: skip
    assert list(one.itl()) == list(other.itl())


def test_timings_are_in_the_order_of_due_times() -> None:
    records = [record(3, number=0), record(1, number=2), record(1, number=1)]
    assert [one.record.number for one in timings(records, ByBytes())] == [1, 2, 0]


def test_all_that_a_request_gives_to_read_is_counted() -> None:
    parts = [{"type": "text", "text": "see"}, {"type": "image_url", "image_url": {}}]
    call = {"function": {"name": "f", "arguments": "{}"}}
    texts = prompt_texts({
        "messages": [
            {"role": "user", "content": parts},
            {"role": "assistant", "content": None, "tool_calls": [call]},
        ],
        "tools": [{"type": "function"}],
    })  # fmt: skip
    assert texts[0] == "see"
    assert any('"arguments"' in text for text in texts)
    assert texts[-1] == '[{"type": "function"}]'
    assert prompt_texts({"prompt": "begin"}) == ["begin"]
    assert prompt_texts({}) == []


def test_a_record_without_text_in_its_chunk_has_no_event() -> None:
    empty = record(0, ended=1.0)
    empty.chunks = [Chunk(0.5, "")]
    (one,) = timings([empty], ByBytes())
    assert one.events == ()
    assert one.ttft == 0.5
