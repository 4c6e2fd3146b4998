"""Server-sent events: any bytes, cut anyhow, against a parser that reads the whole at once."""

from __future__ import annotations

import json
import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from openhearth.inference.remote.events import LONGEST, EventParser, TooLong
from openhearth.platform.sse import event

BITS = [b"data: ", b"data:", b"data", b": a comment", b"event: x", b"id: 7", b"\n", b"\r", b"\r\n"]
STREAMS = st.lists(st.sampled_from(BITS) | st.binary(max_size=5), max_size=40).map(b"".join)


def whole(stream: bytes) -> list[bytes]:
    """The definition: lines, then events at empty lines."""
    events, data = [], []
    for line in re.split(rb"\r\n|\r|\n", stream)[:-1]:
        if line == b"":
            events += [b"\n".join(data)]
            data = []
        elif line == b"data" or line.startswith(b"data:"):
            value = line[len(b"data:") :]
            data.append(value[1:] if value.startswith(b" ") else value)
    return [event for event in events if event]


@given(STREAMS, st.lists(st.integers(0, 200), max_size=10))
def test_the_pieces_in_which_bytes_come_do_not_matter(stream: bytes, cuts: list[int]) -> None:
    places = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    parser = EventParser()
    found = [one for a, b in pairwise(places) for one in parser.feed(stream[a:b])]
    assert found == whole(stream)


@given(STREAMS)
def test_byte_by_byte(stream: bytes) -> None:
    parser = EventParser()
    found = [one for place in range(len(stream)) for one in parser.feed(stream[place : place + 1])]
    assert found == whole(stream)


@given(st.lists(st.text(), max_size=5))
def test_what_our_own_server_sends_comes_out_as_it_was(texts: list[str]) -> None:
    class Said(BaseModel):
        text: str

    stream = b": keep-alive\n\n".join(event(Said(text=text)) for text in texts)
    found = EventParser().feed(stream)
    assert [json.loads(one)["text"] for one in found] == texts


@pytest.mark.parametrize("endless", [b"x" * 1000, b"data: x\n", b": comment"])
def test_what_does_not_end_is_refused_with_little_held(endless: bytes) -> None:
    parser = EventParser()

    def feed() -> None:
        for _ in range(LONGEST):
            parser.feed(endless)

    with pytest.raises(TooLong):
        feed()
    assert parser._held <= LONGEST + len(endless)


def test_comments_without_end_are_fine_when_each_of_them_ends() -> None:
    parser = EventParser()
    for _ in range(LONGEST // 1000):
        assert parser.feed(b": " + b"x" * 2000 + b"\n\n") == []
    assert parser.feed(b"data: still here\n\n") == [b"still here"]
