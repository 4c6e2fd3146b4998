"""Places at which two answers can be compared."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openhearth.bench.gate.places import hidden, named, places, text_of
from openhearth.bench.records import Record

FIELDS = st.sampled_from(["token", "bytes", "logprob", "top_logprobs"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["token", "bytes", "logprob", "top_logprobs"]), inner)
    ),
    max_leaves=12,
)


def record(*tokens: dict[str, Any]) -> Record:
    return Record(0, "gate", "chat/completions", {}, 0.0, logprobs=list(tokens))


def token(text: str, **others: float) -> dict[str, Any]:
    tops = [{"token": name, "logprob": value} for name, value in others.items()]
    return {"token": text, "logprob": math.log(0.5), "top_logprobs": tops}


def test_answers_are_compared_until_they_part_and_once_there() -> None:
    ours = record(token("a", a=-0.5), token("b", b=-0.5), token("c", c=-0.5))
    theirs = record(token("a", a=-0.6), token("x", x=-0.6, b=-0.7), token("c", c=-0.6))
    found = list(places(ours, theirs, 7))
    assert [(one.answer, one.drawn) for one in found] == [(7, "a"), (7, "b")]
    assert found[1].reference == {"x": -0.6, "b": -0.7}


def test_bytes_say_what_a_token_is_before_its_text() -> None:
    assert text_of({"token": "Ġthe", "bytes": list(b" the")}) == " the"
    assert text_of({"token": " the", "bytes": None}) == " the"
    assert text_of({"token": " the", "bytes": [300]}) == " the"


def test_only_the_likeliest_are_named_unless_a_server_names_none() -> None:
    assert named(token("z", a=-0.1)) == {"a": -0.1}
    assert named(token("z")) == {"z": math.log(0.5)}


def test_the_likeliest_without_a_text_is_told_apart() -> None:
    special = token("", **{"": math.log(0.3), "a": math.log(0.5)})
    assert named(special) == {"a": math.log(0.5)}
    assert hidden(special) == pytest.approx(0.3)
    assert hidden(token("a", a=-0.1)) == 0
    (place,) = places(record(special), record(token("a", a=-0.6)), 0)
    assert place.hidden == pytest.approx(0.3)


def test_a_place_whose_likeliest_token_has_no_text_says_nothing() -> None:
    special = token("a", **{"": math.log(0.6), "a": math.log(0.3)})
    ours, theirs = (
        record(special, token("b", b=-0.5)),
        record(token("a", a=-0.6), token("b", b=-0.6)),
    )
    assert [one.drawn for one in places(ours, theirs, 0)] == ["b"]


def test_a_log_probability_that_is_none_is_no_crash() -> None:
    absurd = record(token("a", a=1e6))
    assert [one.drawn for one in places(absurd, absurd, 0)] == ["a"]


def test_half_characters_are_left_out() -> None:
    assert named({"token": "\ufffd", "logprob": -1.0, "top_logprobs": []}) == {}


@given(
    st.lists(st.dictionaries(st.sampled_from(["token", "bytes", "logprob", "top_logprobs"]), JSON))
)
def test_whatever_a_server_sends_is_no_crash(tokens: list[dict[str, Any]]) -> None:
    for one in places(record(*tokens), record(*tokens), 0):
        assert one.served
