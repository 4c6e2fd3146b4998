"""The JSON of a call, read as it is written."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openhearth.inference.tool_json import Brackets, name_in, whole_call

json_values = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(members=st.dictionaries(st.text(), json_values), indent=st.sampled_from([None, 1]))
def test_brackets_are_closed_where_the_object_ends(
    members: dict[str, object], indent: int | None
) -> None:
    text, brackets = json.dumps(members, indent=indent, ensure_ascii=False), Brackets()
    for place, character in enumerate(text):
        assert brackets.read(character)
        assert (brackets.depth == 0) == (place == len(text) - 1)


@pytest.mark.parametrize("text", ["{x", "{'", "{<", '{"a": N', "{\\"])
def test_what_is_no_json_is_told_at_once(text: str) -> None:
    brackets = Brackets()
    assert [brackets.read(character) for character in text] == [True] * (len(text) - 1) + [False]


def test_a_string_that_ends_nowhere_is_told_by_the_end() -> None:
    brackets = Brackets()
    assert brackets.read('"')
    assert not brackets.read("")


@pytest.mark.parametrize(
    ("head", "name"),
    [
        ('{"name": "f", "arguments": ', "f"),
        ('{ "id" : 1, "name":"f\\u0041", "parameters"\n:', "fA"),
        ('{"name": "f", "other": ', None),
        ('{"name": "", "arguments": ', None),
        ('{"name": 1, "arguments": ', None),
        ('{"arguments": ', None),
        ('{"name": "f", "arguments" ', None),
        ('{"name": "f" "arguments": ', None),
        ('{"name": "f", "arguments": 1', None),
        ("{", None),
    ],
)
def test_the_name_is_known_when_the_arguments_come_next(head: str, name: str | None) -> None:
    assert name_in(head) == name


@pytest.mark.parametrize(
    ("text", "call"),
    [
        ('{"arguments": { "a" : "\\u00e9" }, "name": "f"}', ("f", '{ "a" : "\\u00e9" }')),
        ('{"parameters": {}, "arguments": {"a": 1}, "name": "f"}', ("f", '{"a": 1}')),
        ('{"name": "f"}', None),
        ('{"name": "f", "arguments": "{}"}', None),
        ('{"arguments": {}, "name": 1}', None),
        ('{"arguments": {,}, "name": "f"}', None),
        ('{"a": ' * 5000, None),
    ],
)
def test_a_whole_call_has_its_arguments_as_they_are_written(
    text: str, call: tuple[str, str] | None
) -> None:
    assert whole_call(text) == call
