"""Messages of a fine-tuning file as chat templates know them, which is how they are served too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson


def turn(message: Mapping[str, Any]) -> dict[str, Any]:
    """A message with its content as one text, its calls' arguments as objects, and a developer as
    the system; its weight is no matter of the template.

    Raises:
        ValueError: a part of the content is no text, or arguments are no JSON object.
    """
    known = {k: v for k, v in message.items() if k != "weight" and v is not None}
    known["content"] = _text(message.get("content"))
    if message["role"] == "developer":
        known["role"] = "system"
    if calls := message.get("tool_calls"):
        known["tool_calls"] = [_call(call) for call in calls]
    return known


def turns(messages: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """All of a conversation."""
    return [turn(message) for message in messages]


def _text(content: Any) -> str:
    if content is None or isinstance(content, str):
        return content or ""
    if not isinstance(content, list):
        raise ValueError(f"a {type(content).__name__} as content")
    for part in content:
        if not isinstance(part, dict) or not isinstance(part.get("text"), str):
            kind = part.get("type") if isinstance(part, dict) else type(part).__name__
            raise ValueError(f"a part of the type {kind}, where only text is learnt")
    return "".join(part["text"] for part in content)


def _call(call: Any) -> dict[str, Any]:
    try:
        function = call["function"]
        arguments = function["arguments"]
        if isinstance(arguments, str):
            arguments = orjson.loads(arguments)
        name = function["name"]
    except (TypeError, LookupError, orjson.JSONDecodeError) as error:
        raise ValueError("a tool call without a function's name and arguments in JSON") from error
    if not isinstance(arguments, dict):
        raise ValueError("a tool call whose arguments are no object")
    return {**call, "function": {"name": name, "arguments": arguments}}
