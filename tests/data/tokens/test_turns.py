"""Messages as templates know them: as they are served, and what is wrong with them."""

from __future__ import annotations

from typing import Any

import pytest

from openhearth.data.tokens.turns import turn

CALL = {"id": "c", "type": "function", "function": {"name": "add", "arguments": '{"a": 1}'}}


@pytest.mark.parametrize(
    "message",
    [
        {"role": "user", "content": "Hi"},
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "tool", "content": "2", "tool_call_id": "c", "name": "add"},
    ],
)
def test_what_is_learnt_is_what_is_served(message: dict[str, Any]) -> None:
    pytest.importorskip("fastapi")
    from openhearth.platform.messages import InputMessage

    assert turn(message | {"weight": 1}) == InputMessage.model_validate(message).for_template()


def test_arguments_may_be_an_object() -> None:
    call = CALL | {"function": {"name": "add", "arguments": {"a": 1}}}
    message = {"role": "assistant", "tool_calls": [call]}
    assert turn(message) == turn({"role": "assistant", "tool_calls": [CALL]})


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ({"content": 3}, "a int as content"),
        ({"content": [{"type": "image_url"}]}, "a part of the type image_url"),
        ({"content": ["a"]}, "a part of the type str"),
        ({"tool_calls": [{"id": "c"}]}, "without a function's name"),
        ({"tool_calls": [{"function": {"name": "f", "arguments": "{"}}]}, "arguments in JSON"),
        ({"tool_calls": [{"function": {"name": "f", "arguments": "[]"}}]}, "are no object"),
    ],
)
def test_what_is_wrong_is_said(message: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        turn({"role": "assistant"} | message)
