"""Thoughts are parted from answers, however a stream is cut."""

from __future__ import annotations

from typing import Any

import openai
import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st

from openhearth.platform.thoughts import ThoughtReader, begins_inside
from tests.platform.conftest import CALL, THOUGHT

CHAT = "/v1/chat/completions"
ASK: dict[str, Any] = {"model": "thinks", "messages": [{"role": "user", "content": "Hi"}]}
TOOL = {"type": "function", "function": {"name": "weather"}}


def parted(pieces: list[str], inside: bool) -> tuple[str, str]:
    reader = ThoughtReader(inside)
    read = [reader.read(piece, at == len(pieces) - 1) for at, piece in enumerate(pieces)]
    return "".join(thought for thought, _ in read), "".join(said for _, said in read)


@pytest.mark.parametrize(
    ("text", "inside", "thought", "said"),
    [
        ("<think>a</think>\n\nb\nc", False, "a", "b\nc"),
        ("\n<think>a</think>b", False, "a", "b"),
        ("a</think>b", True, "a", "b"),
        ("a <think>b</think>", False, "", "a <think>b</think>"),
        ("<think>a</thin", False, "a</thin", ""),
        ("<thin", False, "", "<thin"),
        ("<think>", False, "", ""),
        ("\n\nb", False, "", "\n\nb"),
        ("<think></think>a</think>", False, "", "a</think>"),
    ],
)
def test_what_stands_first_between_the_tags_is_a_thought(
    text: str, inside: bool, thought: str, said: str
) -> None:
    assert parted([text], inside) == (thought, said)
    assert parted([*text, ""], inside) == (thought, said)


@given(
    st.lists(st.sampled_from(["<think>", "</think>", "<thi", "nk>", "</", "a", "\n", " "])),
    st.booleans(),
)
def test_cutting_changes_nothing(pieces: list[str], inside: bool) -> None:
    whole = "".join(pieces)
    assert parted([*whole, ""], inside) == parted([whole], inside) == parted([*pieces, ""], inside)


def test_only_models_that_were_taught_it_think() -> None:
    assert begins_inside("no word of it", "<think>") is None
    assert begins_inside("a </think>", "asks\n<think>\n") is True
    assert begins_inside("a </think>", "asks") is False


def test_a_thought_is_apart_from_the_answer(oai: openai.OpenAI) -> None:
    message = oai.chat.completions.create(**ASK).choices[0].message
    assert message.content == CALL
    assert message.model_extra == {"reasoning_content": THOUGHT, "reasoning": THOUGHT}
    chunks = list(oai.chat.completions.create(**ASK, stream=True))
    deltas = [chunk.choices[0].delta for chunk in chunks]
    assert "".join(delta.content or "" for delta in deltas) == CALL
    thoughts = [(delta.model_extra or {}).get("reasoning_content", "") for delta in deltas]
    assert "".join(thoughts) == THOUGHT


def test_thoughts_and_calls(http: TestClient) -> None:
    (choice,) = http.post(CHAT, json=ASK | {"tools": [TOOL]}).json()["choices"]
    assert choice["message"]["reasoning"] == THOUGHT
    assert [call["function"]["name"] for call in choice["message"]["tool_calls"]] == [
        "weather",
        "now",
    ]
    assert choice["message"]["content"] == "Sure.\n"


def test_what_must_have_a_form_has_no_thoughts(http: TestClient) -> None:
    form = {"response_format": {"type": "regex", "pattern": "x"}}
    (choice,) = http.post(CHAT, json=ASK | form).json()["choices"]
    assert choice["message"]["content"].startswith("<think>")


def test_a_thought_is_an_item_of_a_response(whole: TestClient) -> None:
    ask = {"model": "thinks", "input": "Hi"}
    reply = whole.post("/v1/responses", json=ask).json()
    thought, said = reply["output"]
    assert (thought["type"], thought["content"][0]["text"]) == ("reasoning", THOUGHT)
    assert said["content"][0]["text"] == CALL
    streamed = whole.post("/v1/responses", json=ask | {"stream": True}).text
    kinds = [line[7:] for line in streamed.splitlines() if line.startswith("event: ")]
    assert kinds.count("response.reasoning_text.done") == 1
    assert kinds.index("response.reasoning_text.done") < kinds.index("response.output_text.delta")
    assert kinds[-1] == "response.completed"
    going_on = ask | {"model": "tiny", "previous_response_id": reply["id"], "max_output_tokens": 2}
    assert whole.post("/v1/responses", json=going_on).status_code == 200
