"""Tools and response formats as the official clients ask for them, before an engine of words."""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest
import together

from openhearth.inference import Constraint
from tests.platform.conftest import CALL

ASK: dict[str, Any] = {"model": "calls", "messages": [{"role": "user", "content": "Hi"}]}
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WEATHER = {
    "type": "function",
    "function": {"name": "weather", "description": "Of a city.", "parameters": SCHEMA},
}
NOW = {"type": "function", "function": {"name": "now"}}
TOOLS = [WEATHER, NOW]
CALLS = [("weather", '{"city": "Zürich"}'), ("now", "{}")]


@pytest.fixture
def clients(server: Any) -> Any:
    with (
        openai.OpenAI(
            base_url=f"{server.url}/v1",
            api_key=server.key,
            max_retries=0,
            _strict_response_validation=True,
        ) as first,
        together.Together(base_url=server.url, api_key=server.key, max_retries=0) as second,
    ):
        yield first, second


def asked(server: Any) -> Any:
    """The request that came last."""
    return server.engine.streams[-1].request


def test_calls_in_a_whole_answer(clients: Any, server: Any) -> None:
    for client in clients:
        choice = client.chat.completions.create(**ASK, tools=TOOLS).choices[0]
        assert choice.message.content == "Sure.\n"
        called = choice.message.tool_calls
        assert [(call.function.name, call.function.arguments) for call in called] == CALLS
        assert [call.type for call in called] == ["function"] * 2
        assert len({call.id for call in called}) == 2
        assert choice.finish_reason == "tool_calls"
        assert b"<tools>['weather', 'now']" in bytes(asked(server).prompt)
        assert not asked(server).sampling.skip_special_tokens


def test_calls_in_a_stream(clients: Any) -> None:
    for client in clients:
        chunks = list(client.chat.completions.create(**ASK, tools=TOOLS, stream=True))
        deltas = [chunk.choices[0].delta for chunk in chunks]
        assert "".join(delta.content or "" for delta in deltas) == "Sure.\n"
        assert all(len(delta.tool_calls) == 1 for delta in deltas if delta.tool_calls)
        called = [call for delta in deltas for call in delta.tool_calls or ()]
        for index, (name, arguments) in enumerate(CALLS):
            begun, *more = (call for call in called if call.index == index)
            assert (begun.function.name, begun.function.arguments) == (name, "")
            assert begun.id
            assert begun.type == "function"
            assert [call.to_dict().keys() for call in more] == [{"index", "function"}] * len(more)
            # Every byte is a token here, and of "ü" the second brings the character.
            assert [call.function.arguments for call in more] == list(arguments)
        assert chunks[-1].choices[0].finish_reason == "tool_calls"


def test_the_clients_own_helper_joins_the_pieces(clients: Any) -> None:
    strict = [tool | {"function": tool["function"] | {"strict": True}} for tool in TOOLS]
    with clients[0].chat.completions.stream(**ASK, tools=strict) as stream:
        choice = stream.get_final_completion().choices[0]
    called = [call.function for call in choice.message.tool_calls]
    assert [(function.name, function.arguments) for function in called] == CALLS
    assert [function.parsed_arguments for function in called] == [{"city": "Zürich"}, {}]
    assert choice.message.content == "Sure.\n"


def test_without_tools_the_same_text_is_only_text(clients: Any, server: Any) -> None:
    for client in clients:
        for more in ({}, {"tools": TOOLS, "tool_choice": "none"}):
            choice = client.chat.completions.create(**ASK, **more).choices[0]
            assert choice.message.content.count("<tool_call>") == 2
            assert choice.finish_reason == "stop"
            assert b"<tools>" not in bytes(asked(server).prompt)


def test_an_answer_that_ends_within_a_call_says_what_it_wrote(clients: Any) -> None:
    choice = clients[0].chat.completions.create(**ASK, tools=TOOLS, max_tokens=30).choices[0]
    assert choice.message.content.startswith("Sure.<tool_call>")
    assert choice.message.tool_calls is None
    choice = clients[0].chat.completions.create(**ASK, tools=TOOLS, max_tokens=60).choices[0]
    assert choice.message.content == "Sure."
    (call,) = choice.message.tool_calls
    assert (call.function.name, call.function.arguments) == ("weather", '{"city": "')
    assert choice.finish_reason == "length"


@pytest.mark.parametrize("last", range(5, 140, 9))
def test_a_stream_says_what_the_whole_answer_says(clients: Any, last: int) -> None:
    ask = ASK | {"tools": TOOLS, "max_tokens": last, "logprobs": True}
    for client in clients:
        message = client.chat.completions.create(**ask).choices[0].message
        text, calls, seen = "", [], 0
        for chunk in client.chat.completions.create(**ask, stream=True):
            delta = chunk.choices[0].delta
            text, seen = text + (delta.content or ""), seen + bool(chunk.choices[0].logprobs)
            for call in delta.tool_calls or ():
                if call.index == len(calls):
                    calls.append([call.function.name, ""])
                calls[int(call.index)][1] += call.function.arguments
        whole = [[c.function.name, c.function.arguments] for c in message.tool_calls or ()]
        assert (text, calls) == (message.content or "", whole)
        assert seen == min(last, len(CALL.encode()))


@pytest.mark.parametrize(
    ("more", "rule"),
    [
        ({}, None),
        ({"tool_choice": "auto"}, None),
        ({"parallel_tool_calls": False}, "start: TEXT | begin"),
        ({"tools": [{"type": "function", "function": {"name": "f", "strict": True}}]}, "TEXT"),
        ({"tool_choice": "required"}, "start: calls\n"),
        ({"tool_choice": NOW}, "call: call_0\n"),
        ({"response_format": {"type": "json_object"}}, "start: calls | answer\n"),
    ],
)
def test_how_calls_are_constrained(
    more: dict[str, Any], rule: str | None, clients: Any, server: Any
) -> None:
    clients[0].chat.completions.create(**ASK | {"tools": TOOLS} | more)
    constraint = asked(server).sampling.constraint
    if rule is None:
        assert constraint is None
    else:
        assert constraint.kind == "grammar"
        assert rule in constraint.value


def test_the_conversation_may_hold_calls_and_what_came_of_them(clients: Any, server: Any) -> None:
    call = {"id": "abc", "type": "function", "function": {"name": "now", "arguments": "{}"}}
    turns = [
        *ASK["messages"],
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "abc", "content": "noon"},
    ]
    for client in clients:
        client.chat.completions.create(model="tiny", messages=turns, max_tokens=1, tools=TOOLS)
        prompt = bytes(asked(server).prompt).decode()
        assert "<assistant>[{'name': 'now', 'arguments': {}}]\n<tool>noon\n" in prompt


@pytest.mark.parametrize(
    ("form", "constraint"),
    [
        ({"type": "text"}, None),
        ({"type": "json_object"}, Constraint("json_schema", '{"type": "object"}')),
        (
            {"type": "json_schema", "json_schema": {"name": "x", "strict": True, "schema": SCHEMA}},
            Constraint("json_schema", json.dumps(SCHEMA)),
        ),
        ({"type": "json_object", "schema": SCHEMA}, Constraint("json_schema", json.dumps(SCHEMA))),
        ({"type": "regex", "pattern": "a+"}, Constraint("regex", "a+")),
        ({"type": "grammar", "grammar": 'start: "a"'}, Constraint("grammar", 'start: "a"')),
    ],
)
def test_response_formats(
    form: dict[str, Any], constraint: Constraint | None, clients: Any, server: Any
) -> None:
    for client in clients:
        ask = {"model": "tiny", "max_tokens": 1}
        client.chat.completions.create(messages=ASK["messages"], response_format=form, **ask)
        assert asked(server).sampling.constraint == constraint
        client.completions.create(prompt="a", extra_body={"response_format": form}, **ask)
        assert asked(server).sampling.constraint == constraint


# -- the old form ---------------------------------------------------------------------------------

FUNCTIONS = [tool["function"] for tool in TOOLS]


def test_the_old_form_has_one_call_whole_and_streamed(clients: Any, server: Any) -> None:
    client, _ = clients
    choice = client.chat.completions.create(**ASK, functions=FUNCTIONS).choices[0]
    called = choice.message.function_call
    assert (called.name, called.arguments) == CALLS[0]
    assert choice.finish_reason == "function_call"
    assert choice.message.tool_calls is None
    assert b"<tools>['weather', 'now']" in bytes(asked(server).prompt)
    assert asked(server).sampling.constraint.kind == "grammar"  # of one call at most
    chunks = list(client.chat.completions.create(**ASK, functions=FUNCTIONS, stream=True))
    calls = [c.choices[0].delta.function_call for c in chunks if c.choices[0].delta.function_call]
    assert calls[0].name == "weather"
    assert chunks[-1].choices[0].finish_reason == "function_call"


def test_the_old_form_may_name_a_function_or_none(clients: Any, server: Any) -> None:
    client, together_client = clients
    client.chat.completions.create(**ASK, functions=FUNCTIONS, function_call={"name": "now"})
    assert asked(server).sampling.constraint
    plain = client.chat.completions.create(**ASK, functions=FUNCTIONS, function_call="none")
    assert plain.choices[0].message.content == CALL
    with pytest.raises(together.BadRequestError, match="not among the tools"):
        together_client.chat.completions.create(
            **ASK, function_call={"name": "other"}, extra_body={"functions": FUNCTIONS}
        )


def test_turns_of_the_old_form_are_calls_and_what_tools_said(clients: Any, server: Any) -> None:
    client, _ = clients
    turns: Any = [
        *ASK["messages"],
        {"role": "assistant", "content": None, "function_call": {"name": "now", "arguments": "{}"}},
        {"role": "function", "name": "now", "content": "Noon."},
    ]
    client.chat.completions.create(model="tiny", messages=turns, max_tokens=2)
    prompt = bytes(asked(server).prompt).decode()
    assert "<assistant>[{'name': 'now', 'arguments': {}}]" in prompt
    assert "<tool>Noon." in prompt
