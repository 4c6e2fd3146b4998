"""Both forms of log-probabilities, from the same tokens."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from openhearth.inference.request import TokenLogprob
from openhearth.platform.logprobs import token_lists, token_objects

LOGPROBS = st.floats(max_value=0.0, allow_nan=False)
TOKENS = st.builds(
    TokenLogprob,
    id=st.integers(0, 9),
    text=st.text(max_size=3),
    logprob=LOGPROBS,
    top=st.lists(st.tuples(st.integers(0, 9), st.text(max_size=2), LOGPROBS), max_size=3).map(
        lambda top: tuple(sorted(top, key=lambda entry: -entry[2]))
    ),
)


@given(st.lists(TOKENS, max_size=5), st.integers(0, 100))
def test_both_forms_say_the_same_and_are_json(tokens: list[TokenLogprob], offset: int) -> None:
    objects = token_objects(tokens).content
    lists = token_lists(tokens, offset)
    assert [o.token for o in objects] == lists.tokens == [t.text for t in tokens]
    assert [o.logprob for o in objects] == lists.token_logprobs
    assert all(logprob >= -9999.0 for logprob in lists.token_logprobs)
    for at, token in zip(lists.text_offset, tokens, strict=True):
        assert "".join(lists.tokens)[at - offset :].startswith(token.text)
    for shape in (token_objects(tokens), lists):
        json.dumps(shape.model_dump(), allow_nan=False)


def test_of_two_alternatives_with_one_text_the_likelier_stays() -> None:
    token = TokenLogprob(1, "a", -1.0, ((1, "�", -1.0), (2, "�", -2.0), (3, "b", -3.0)))
    assert token_lists([token]).top_logprobs == [{"�": -1.0, "b": -3.0}]


def test_bytes_are_given_only_where_the_text_tells_them() -> None:
    whole, half = token_objects([TokenLogprob(1, "ü", -1.0), TokenLogprob(2, "�", -1.0)]).content
    assert (whole.bytes, half.bytes) == ([0xC3, 0xBC], None)
