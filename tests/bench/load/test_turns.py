"""Conversations: what goes back to a server of what it has said."""

from __future__ import annotations

from typing import Any

from openhearth.bench.load.delta import Said
from openhearth.bench.load.turns import next_turn
from openhearth.bench.records import Chunk, Part

BEFORE = {"messages": [{"role": "user", "content": "Hi"}]}


def said(*calls: str) -> Said:
    told = Said()
    told.chunks = [Chunk(0, "Hm", Part.THOUGHT), Chunk(0, "Wait", Part.TEXT)]
    for number, name in enumerate(calls):
        told.chunks.append(Chunk(0, f"\n{name}{{}}", Part.TOOL_CALL))
        told.calls[number] = {"id": f"id{number}", "name": name, "arguments": "{}"}
    return told


def turn(told: Said, *messages: dict[str, Any]) -> list[dict[str, Any]]:
    return next_turn(BEFORE, told, {"max_tokens": 3, "messages": list(messages)})["messages"][1:]


def result(content: str) -> dict[str, Any]:
    return {"role": "tool", "content": content}


def test_thoughts_stay_with_the_model() -> None:
    user = {"role": "user", "content": "And?"}
    assert turn(said(), user) == [{"role": "assistant", "content": "Wait"}, user]


def test_results_answer_the_calls_in_their_order() -> None:
    answer, first, second = turn(said("f", "g"), result("1"), result("2"))
    assert [call["id"] for call in answer["tool_calls"]] == ["id0", "id1"]
    assert [call["function"]["name"] for call in answer["tool_calls"]] == ["f", "g"]
    assert answer["content"] == "Wait"
    assert first == result("1") | {"tool_call_id": "id0"}
    assert second == result("2") | {"tool_call_id": "id1"}


def test_a_result_without_a_call_is_told_by_the_user() -> None:
    answer, told = turn(said(), result("1"))
    assert "tool_calls" not in answer
    assert told == {"role": "user", "content": "1"}


def test_a_call_without_a_result_goes_back_as_text() -> None:
    answer, _ = turn(said("f"), {"role": "user", "content": "And?"})
    assert answer == {"role": "assistant", "content": "Wait\nf{}"}
    (answer, _) = turn(said("f", "g"), result("1"))
    assert [call["function"]["name"] for call in answer["tool_calls"]] == ["f"]


def test_the_rest_of_the_body_is_that_of_the_new_turn() -> None:
    assert next_turn(BEFORE | {"max_tokens": 9}, said(), {"messages": []}).keys() == {"messages"}
