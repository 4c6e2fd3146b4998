"""Events of completions as each kind of server writes them, and as none should."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openhearth.data import Tokenizer
from openhearth.errors import HearthError
from openhearth.inference.remote.reply import UNKNOWN, Reader, message
from openhearth.inference.request import Delta, Usage

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
LOGPROBS = st.fixed_dictionaries(
    {},
    optional={
        "tokens": st.lists(st.text(max_size=3) | st.integers().map(lambda i: f"token_id:{i}")),
        "token_logprobs": st.lists(st.floats() | st.none(), max_size=3),
        "top_logprobs": VALUES,
        "token_ids": st.lists(st.integers()),
        "content": VALUES,
    },
)
CHOICES = st.fixed_dictionaries(
    {},
    optional={
        "text": VALUES,
        "finish_reason": VALUES,
        "token_ids": VALUES | st.lists(st.integers(0, 400)),
        "logprobs": VALUES | LOGPROBS,
    },
)
CHUNKS = st.fixed_dictionaries(
    {}, optional={"choices": VALUES | st.lists(CHOICES), "usage": VALUES, "error": VALUES}
)


def read(tokenizer: Tokenizer, alternatives: int | None = None, **choice: Any) -> Delta:
    event = json.dumps({"choices": [choice]}).encode()
    return Reader(tokenizer).read(event, alternatives)


def test_text_and_tokens(tokenizer: Tokenizer) -> None:
    ids = tokenizer.encode("quick")
    assert read(tokenizer, text="quick", token_ids=ids) == Delta("quick", tuple(ids))
    assert read(tokenizer, text=None) == Delta()
    assert read(tokenizer) == Delta()


def test_the_end_of_an_answer_is_no_token_of_it(tokenizer: Tokenizer) -> None:
    ids = [9, tokenizer.end_of_turn]
    assert read(tokenizer, token_ids=ids, finish_reason="stop") == Delta("", (9,), (), "stop")


def test_log_probabilities_in_lists_with_ids_in_the_place_of_texts(tokenizer: Tokenizer) -> None:
    lists = {
        "tokens": ["token_id:9"],
        "token_logprobs": [-0.5],
        "top_logprobs": [{"token_id:7": -2.0, "token_id:9": -0.5, "token_id:8": -1.0}],
    }
    (found,) = read(tokenizer, 2, logprobs=lists).logprobs
    text = tokenizer.token_text
    assert (found.id, found.text, found.logprob) == (9, text(9), -0.5)
    assert found.top == ((9, text(9), -0.5), (8, text(8), -1.0))
    assert read(tokenizer, None, logprobs=lists).logprobs == ()


def test_log_probabilities_in_lists_of_texts(tokenizer: Tokenizer) -> None:
    lists = {
        "tokens": ["a", "not one token"],
        "token_logprobs": [-0.5, -1.0],
        "top_logprobs": [{"b": -2.0}, None],
    }
    first, second = read(tokenizer, 5, logprobs=lists).logprobs
    a, b = tokenizer.encode("ab")
    assert (first.id, first.top) == (a, ((b, "b", -2.0),))
    assert (second.id, second.text, second.top) == (UNKNOWN, "not one token", ())
    delta = read(tokenizer, 5, logprobs=lists | {"token_ids": [9, 8]})
    assert delta.tokens == (9, 8)
    assert [one.id for one in delta.logprobs] == [9, 8]


def test_log_probabilities_in_objects(tokenizer: Tokenizer) -> None:
    top = [{"id": 8, "token": "y", "logprob": -1.0}]
    content = [{"id": 9, "token": "x", "logprob": -0.5, "top_logprobs": top}]
    delta = read(tokenizer, 1, logprobs={"content": content})
    assert delta.tokens == (9,)
    assert (delta.logprobs[0].text, delta.logprobs[0].top) == ("x", ((8, "y", -1.0),))


def test_usage(tokenizer: Tokenizer) -> None:
    usage = {"prompt_tokens": 3, "completion_tokens": 5, "total_tokens": 8}
    for details, cached in ((None, 0), ({"cached_tokens": None}, 0), ({"cached_tokens": 2}, 2)):
        event = {"choices": [], "usage": usage | {"prompt_tokens_details": details}}
        assert Reader(tokenizer).read(json.dumps(event).encode(), None).usage == Usage(3, 5, cached)


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (b"nothing of the kind", "OpenAI-compatible"),
        (b'{"choices": [{"text": 5}]}', "OpenAI-compatible"),
        (b'{"choices": [{"token_ids": [-1]}]}', "OpenAI-compatible"),
        (b'{"usage": {"prompt_tokens": -1, "completion_tokens": 0}}', "OpenAI-compatible"),
        (b'{"choices": [{"finish_reason": "abort"}]}', "abort"),
        (b'{"error": {"message": "out of  memory\\n", "code": 500}}', r"\(out of memory\)"),
        (b'{"error": "out of memory"}', "out of memory"),
    ],
)
def test_what_is_no_answer_is_told(tokenizer: Tokenizer, event: bytes, reason: str) -> None:
    with pytest.raises(HearthError, match=reason):
        Reader(tokenizer).read(event, 1)


@pytest.mark.parametrize(
    "lists",
    [
        {"tokens": ["a", "b"], "token_logprobs": [-1.0]},
        {"tokens": ["token_id:9999"], "token_logprobs": [-1.0]},
        {"tokens": ["token_id:9x"], "token_logprobs": [-1.0]},
        {"tokens": ["a"], "token_logprobs": [float("nan")]},
    ],
)
def test_log_probabilities_that_make_no_sense(tokenizer: Tokenizer, lists: dict[str, Any]) -> None:
    with pytest.raises(HearthError, match="no piece of a completion"):
        read(tokenizer, 1, logprobs=lists)


@given(CHUNKS | VALUES, st.none() | st.integers(0, 3))
def test_any_json_is_a_delta_or_an_error(
    tokenizer: Tokenizer, value: Any, alternatives: int | None
) -> None:
    try:
        delta = Reader(tokenizer).read(json.dumps(value).encode(), alternatives)
    except HearthError:
        return
    assert all(token >= 0 for token in delta.tokens)
    json.dumps([(one.logprob, one.top) for one in delta.logprobs], allow_nan=False)


@given(st.binary())
def test_any_bytes_are_a_delta_or_an_error(tokenizer: Tokenizer, event: bytes) -> None:
    with contextlib.suppress(HearthError):
        Reader(tokenizer).read(b'{"choices": [' + event + b"]}", None)


def test_a_servers_words_are_few_and_on_one_line() -> None:
    assert message({"error": {"message": "a\n b"}}) == "a b"
    assert message({"detail": ["x"]}) == "['x']"
    assert message({}) == message("") == "it did not say why"
    assert len(message("x" * 10_000)) == 300
