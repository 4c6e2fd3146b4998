"""The next turn of a conversation, which has all turns before it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from openhearth.bench.load.delta import Said
from openhearth.bench.records import Part

Message = dict[str, Any]


def next_turn(before: Mapping[str, Any], said: Said, new: Mapping[str, Any]) -> dict[str, Any]:
    """The body of the turn that comes after the request `before` and what was said to it.

    `tool` messages in the new one answer the calls that were made, in their order, whatever ids
    they name; if there are more messages than calls, the user says the rest. Calls that none of
    them answers go back as text, since servers refuse a conversation in which a call has no result.
    """
    results = [message for message in new["messages"] if message["role"] == "tool"]
    calls = [said.calls[index] for index in sorted(said.calls)][: len(results)]
    answer = _answer(said, calls)
    ids = iter([call["id"] for call in answer.get("tool_calls", ())])
    asked = [_fitted(message, ids) for message in new["messages"]]
    return dict(new) | {"messages": [*before["messages"], answer, *asked]}


def _answer(said: Said, calls: Sequence[Mapping[str, str]]) -> Message:
    parts = (Part.TEXT,) if calls else (Part.TEXT, Part.TOOL_CALL)
    text = "".join(chunk.text for chunk in said.chunks if chunk.part in parts)
    message: Message = {"role": "assistant", "content": text}
    if calls:
        message["tool_calls"] = [
            {
                "id": call["id"] or f"call_{number}",
                "type": "function",
                "function": {"name": call["name"], "arguments": call["arguments"]},
            }
            for number, call in enumerate(calls)
        ]
    return message


def _fitted(message: Message, ids: Any) -> Message:
    if message["role"] != "tool":
        return message
    if call := next(ids, None):
        return message | {"tool_call_id": call}
    return {"role": "user", "content": message["content"]}
