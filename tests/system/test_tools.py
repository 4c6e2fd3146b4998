"""Response formats and tools, asked for by the official clients of a real server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest
import together

pytestmark = pytest.mark.system

ASK: dict[str, Any] = {
    "model": "tiny",
    "messages": [{"role": "user", "content": "What is the weather?"}],
    "max_tokens": 100,
    "seed": 1,
}
PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string", "maxLength": 5}, "age": {"enum": [1, 2]}},
    "required": ["name", "age"],
    "additionalProperties": False,
}
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"enum": ["Oslo", "Rome"]}},
            "required": ["city"],
            "additionalProperties": False,
        },
    },
}
NOW = {
    "type": "function",
    "function": {
        "name": "now",
        "parameters": {"type": "object", "properties": {}, "additionalProperties": False},
    },
}


@pytest.fixture
def clients(server: Any, oai: openai.OpenAI) -> Iterator[list[Any]]:
    with together.Together(base_url=server.url, api_key=server.key, max_retries=0) as client:
        yield [oai, client]


@pytest.mark.parametrize(
    "form",
    [
        {"type": "json_schema", "json_schema": {"name": "p", "strict": True, "schema": PERSON}},
        {"type": "json_object", "schema": PERSON},
    ],
)
def test_an_answer_fits_the_schema(form: dict[str, Any], clients: list[Any]) -> None:
    texts = []
    for client in clients:
        choice = client.chat.completions.create(**ASK, response_format=form).choices[0]
        assert choice.finish_reason == "stop"
        texts.append(choice.message.content)
        chunks = client.chat.completions.create(**ASK, response_format=form, stream=True)
        texts.append("".join(chunk.choices[0].delta.content for chunk in chunks))
    assert len(set(texts)) == 1
    person = json.loads(texts[0])
    assert person.keys() == {"name", "age"}
    assert person["age"] in (1, 2)


def test_the_clients_own_helper_parses_the_answer(oai: openai.OpenAI) -> None:
    from pydantic import BaseModel

    class Choice(BaseModel):
        yes: bool

    parsed = oai.chat.completions.parse(**ASK, response_format=Choice).choices[0].message.parsed
    assert isinstance(parsed, Choice)


def test_completions_follow_a_pattern_and_a_grammar(oai: openai.OpenAI) -> None:
    for form in (
        {"type": "regex", "pattern": "[0-9]{3}"},
        {"type": "grammar", "grammar": "start: /[0-9]{3}/"},
    ):
        reply = oai.completions.create(
            model="tiny", prompt="Count", max_tokens=9, extra_body={"response_format": form}
        )
        assert len(reply.choices[0].text) == 3
        assert reply.choices[0].text.isdecimal()


@pytest.mark.parametrize(
    ("choice", "names"),
    [("required", {"weather", "now"}), (WEATHER, {"weather"})],
)
def test_calls_are_made_as_they_must_be(choice: Any, names: set[str], clients: list[Any]) -> None:
    more = {"tools": [WEATHER, NOW], "tool_choice": choice, "parallel_tool_calls": False}
    for client in clients:
        more = more if client is clients[0] else {"extra_body": more}
        answer = client.chat.completions.create(**ASK, **more).choices[0]
        (call,) = answer.message.tool_calls
        assert answer.finish_reason == "tool_calls"
        assert answer.message.content is None
        assert call.function.name in names
        chunks = list(client.chat.completions.create(**ASK, **more, stream=True))
        begun, *pieces = (c for chunk in chunks for c in chunk.choices[0].delta.tool_calls or ())
        assert (begun.index, begun.type) == (0, "function")
        assert begun.function.name == call.function.name
        assert "".join(c.function.arguments for c in pieces) == call.function.arguments
        assert chunks[-1].choices[0].finish_reason == "tool_calls"


def test_a_conversation_goes_on_after_a_call(oai: openai.OpenAI) -> None:
    more = {"tools": [NOW], "tool_choice": "required", "parallel_tool_calls": False}
    called = oai.chat.completions.create(**ASK, **more).choices[0].message
    said = {"role": "tool", "tool_call_id": called.tool_calls[0].id, "content": "It is warm."}
    turns = [*ASK["messages"], called.to_dict(), said]
    answer = oai.chat.completions.create(**ASK | {"messages": turns, "max_tokens": 5}, **more)
    assert answer.usage.completion_tokens == 5


def test_what_cannot_be_followed_is_an_error_of_that_request(oai: openai.OpenAI) -> None:
    deep: dict[str, Any] = {"type": "integer"}
    for _ in range(200):
        deep = {"type": "array", "items": deep, "minItems": 1}
    wrong: list[dict[str, Any]] = [
        {"type": "integer", "minimum": 5, "maximum": 3},
        {"type": "no such type"},
        {"$ref": "#"},
        {"enum": []},
        {"type": "string", "pattern": "("},
    ]
    for schema in [*wrong, {"anyOf": [deep] * 80}]:
        form = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
        with pytest.raises(openai.BadRequestError) as refused:
            oai.chat.completions.create(**ASK, response_format=form)
        assert refused.value.param == "response_format"
    for schema in wrong:
        tool = {"type": "function", "function": {"name": "f", "parameters": schema}}
        with pytest.raises(openai.BadRequestError) as refused:
            oai.chat.completions.create(**ASK, tools=[tool], tool_choice="required")
        assert refused.value.param == "tools"
    assert oai.chat.completions.create(**ASK | {"max_tokens": 2}).choices
