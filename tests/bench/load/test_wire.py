"""What is read from the bytes of an answer, however they were cut and whatever is in them."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openhearth.bench.load.wire import Reader
from openhearth.bench.records import Failure, Part, Route

USAGE = {
    "prompt_tokens": 5,
    "completion_tokens": 3,
    "prompt_tokens_details": {"cached_tokens": 4},
}


def event(**value: Any) -> bytes:
    return b"data: " + json.dumps(value, ensure_ascii=False).encode() + b"\n\n"


def delta(finish: str | None = None, **delta: Any) -> bytes:
    return event(model="m", choices=[{"index": 0, "delta": delta, "finish_reason": finish}])


DONE = b"data: [DONE]\n\n"
ANSWER = [
    delta(role="assistant", content=""),
    delta(reasoning_content="Hm"),
    delta(content="Grüß "),
    delta(content="Gött\u2028in 🦔\n"),
    delta("stop"),
    event(choices=[], usage=USAGE),
    DONE,
]


@dataclass(frozen=True)
class Read:
    """What does not depend on how bytes were cut."""

    texts: list[tuple[str, Part]]
    events: int
    finish: str | None
    usage: tuple[int | None, ...]
    over: bool
    failure: Failure | None
    detail: str


def read(
    pieces: Sequence[bytes], route: Route = "chat/completions", *, whole: bool = True
) -> tuple[Reader, Read]:
    """Pieces that come a second after one another."""
    reader = Reader(route)
    for at, piece in enumerate(pieces):
        reader.feed(float(at), piece)
    reader.end(float(len(pieces)), whole=whole)
    return reader, Read(
        [(chunk.text, chunk.part) for chunk in reader.chunks],
        reader.events,
        reader.finish,
        (reader.prompt_tokens, reader.cached_tokens, reader.completion_tokens),
        reader.over,
        reader.failure,
        reader.detail,
    )


def cut(data: bytes, places: Sequence[int]) -> list[bytes]:
    """The same in pieces."""
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[a:b] for a, b in itertools.pairwise(edges)]


SOUND = Read(
    [("Hm", Part.THOUGHT), ("Grüß ", Part.TEXT), ("Gött\u2028in 🦔\n", Part.TEXT)],
    6,
    "stop",
    (5, 4, 3),
    True,
    None,
    "",
)


def test_a_stream_is_read_event_by_event_with_the_time_of_each() -> None:
    reader, got = read(ANSWER)
    assert got == SOUND
    assert [chunk.at for chunk in reader.chunks] == [1.0, 2.0, 3.0]
    assert reader.seen_model == "m"


@given(st.lists(st.integers(0, 2**16), max_size=30), st.sampled_from([b"\n", b"\r\n", b"\r"]))
def test_how_bytes_are_cut_and_lines_end_changes_nothing_but_times(
    places: list[int], end: bytes
) -> None:
    data = b"".join(ANSWER).replace(b"\n", end)
    reader, got = read(cut(data, places))
    assert got == SOUND
    times = [chunk.at for chunk in reader.chunks]
    assert times == sorted(times)


NAMES = """choices delta content usage error tool_calls index function name logprobs
    prompt_tokens finish_reason model text data embedding""".split()  # noqa: SIM905
noise = st.one_of(
    st.binary(max_size=40),
    st.sampled_from(
        [*ANSWER, b"\n", b"\r\n", b": comment\n", b"event: error\n", b"data:", b"id: 1\n"]
    ),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(NAMES),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    ).map(lambda value: b"data: " + json.dumps(value).encode() + b"\n\n"),
)


@given(
    st.lists(noise, max_size=12),
    st.lists(st.integers(0, 2**16), max_size=8),
    st.sampled_from(["chat/completions", "completions", "embeddings"]),
    st.booleans(),
)
def test_whatever_comes_is_read_alike_however_it_was_cut(
    parts: list[bytes], places: list[int], route: Route, whole: bool
) -> None:
    data = b"".join(parts)
    _, at_once = read([data] if data else [], route, whole=whole)
    _, in_pieces = read(cut(data, places), route, whole=whole)
    # A line that ends in a carriage return ends only when the next byte is known.
    if not data.endswith(b"\r") or whole:
        assert in_pieces == at_once
    assert (at_once.failure is None) == (at_once.detail == "")


@pytest.mark.parametrize(
    ("parts", "failure", "detail"),
    [
        ([b"data: {broken\n\n"], Failure.MALFORMED, "is not JSON"),
        ([b"data: \xff\xfe\n\n"], Failure.MALFORMED, "is not JSON"),
        (
            [b'data: {"choices": [{"delta": {"content": "\\ud800"}}]}\n\n'],
            Failure.MALFORMED,
            "JSON",
        ),
        ([event(choices=[{"delta": {"content": ["a"]}}])], Failure.MALFORMED, "of the API's form"),
        ([event(choices=[], usage={"prompt_tokens": -1})], Failure.MALFORMED, "number of tokens"),
        ([event(choices=[], usage={"prompt_tokens": 10**30})], Failure.MALFORMED, "tokens"),
        ([event(choices=7)], Failure.MALFORMED, "of the API's form"),
        ([b"data: 7\n\n"], Failure.MALFORMED, "of the API's form"),
        ([b"Internal Server Error\n"], Failure.MALFORMED, "Internal Server Error"),
        ([b"<html>"], Failure.MALFORMED, "not JSON"),
        ([ANSWER[2], event(error={"message": "died"}), DONE], Failure.ERROR_EVENT, "died"),
        ([ANSWER[2], event(error="died")], Failure.ERROR_EVENT, "died"),
        ([b"event: error\n", b"data: 1\n\n"], Failure.ERROR_EVENT, "1"),
        ([b'{"error": {"message": "died"}}'], Failure.ERROR_EVENT, "died"),
    ],
)
def test_what_is_wrong_is_said(parts: list[bytes], failure: Failure, detail: str) -> None:
    _, got = read(parts)
    assert got.failure is failure
    assert detail in got.detail


def test_what_was_right_before_a_mistake_is_kept() -> None:
    _, got = read([*ANSWER[:4], b"data: {\n\n", *ANSWER[4:]])
    assert got.texts == SOUND.texts
    assert got.finish is None
    assert got.failure is Failure.MALFORMED


def test_comments_data_lines_and_what_comes_after_the_end_are_read_by_the_standard() -> None:
    split = b'retry: 3\n: hello\nid: 7\ndata: {"choices":\ndata:[{"delta": {"content": "x"}}]}\n\n'
    _, got = read([b"\xef\xbb\xbf\n", split, DONE, b"rubbish", ANSWER[2]])
    assert got.texts == [("x", Part.TEXT)]
    assert got.over
    assert got.failure is None


@pytest.mark.parametrize("whole", [False, True])
def test_an_event_without_the_blank_line_after_it_counts_only_in_a_whole_response(
    whole: bool,
) -> None:
    _, got = read([*ANSWER[:2], ANSWER[2].rstrip()], whole=whole)
    assert got.texts == SOUND.texts[: 2 if whole else 1]
    assert got.failure is None


def test_an_answer_in_one_piece_is_read_and_named() -> None:
    body = {"model": "m", "usage": USAGE, "choices": [{"message": {"content": "x"}}]}
    body["choices"][0]["finish_reason"] = "stop"  # type: ignore[index]
    _, got = read(cut(json.dumps(body).encode(), [1, 9, 30]))
    assert got.failure is Failure.NOT_STREAMING
    assert got.texts == [("x", Part.TEXT)]
    assert got.usage == (5, 4, 3)
    assert got.finish == "stop"


def test_calls_are_put_together_and_stand_each_on_a_line() -> None:
    def call(index: int, **rest: Any) -> bytes:
        return delta(tool_calls=[{"index": index, **rest}])

    reader, got = read(
        [
            call(0, id="a", function={"name": "f", "arguments": ""}),
            call(0, function={"arguments": '{"x": 1}'}),
            call(1, id="b", function={"name": "g", "arguments": "{}"}),
            delta("tool_calls"),
        ]
    )
    assert "".join(text for text, _ in got.texts) == 'f{"x": 1}\ng{}'
    assert {part for _, part in got.texts} == {Part.TOOL_CALL}
    assert list(reader.calls.values()) == [
        {"id": "a", "name": "f", "arguments": '{"x": 1}'},
        {"id": "b", "name": "g", "arguments": "{}"},
    ]


def test_log_probabilities_of_both_routes_have_one_form() -> None:
    top = {"token": "b", "logprob": -1.0, "bytes": [98]}
    told = {"token": "ä", "logprob": -0.5, "bytes": [195, 164], "top_logprobs": [top]}
    chat, _ = read(
        [event(choices=[{"delta": {"content": "ä"}, "logprobs": {"content": [told]}}]), DONE]
    )
    logprobs = {"tokens": ["ä"], "token_logprobs": [-0.5], "top_logprobs": [{"b": -1.0}]}
    completions, _ = read(
        [event(choices=[{"text": "ä", "logprobs": logprobs}]), DONE], "completions"
    )
    assert chat.logprobs == completions.logprobs == [told]


def test_embeddings_are_counted() -> None:
    body = {"model": "m", "data": [{"embedding": [1.0]}, {"embedding": "AAAA"}], "usage": USAGE}
    reader, got = read([json.dumps(body).encode()], "embeddings")
    assert reader.vectors == 2
    assert got.failure is None
    assert got.usage[0] == 5


def test_a_line_that_never_ends_is_held_once() -> None:
    """Pieces of a line are joined when it ends, so that it costs no more than its bytes."""
    pieces = [b"data: ", *[b"x" * 2**16] * 256, b"\n\n"]
    _, got = read(pieces)
    assert got.failure is Failure.MALFORMED
    assert len(got.detail) < 1000
