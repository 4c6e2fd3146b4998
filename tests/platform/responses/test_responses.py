"""The Responses API by the unmodified OpenAI client."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import openai
import pytest
from fastapi.testclient import TestClient
from pydantic import BaseModel

from openhearth.platform.responses.asked import UNSERVED

SPEECH = "Grüße 🔥 an alle, die hier wärmen. " * 200
RENDERED = "<user>Hallo\n<assistant>"
WEATHER: Any = {
    "type": "function",
    "name": "weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
}


@pytest.fixture
def client(platform: Any) -> Iterator[openai.OpenAI]:
    """It checks every reply against its own types."""
    with openai.OpenAI(
        base_url=f"{platform.url}/v1",
        api_key=platform.key,
        max_retries=0,
        _strict_response_validation=True,
    ) as opened:
        yield opened


def spoken(tokens: int) -> str:
    return SPEECH.encode()[:tokens].decode(errors="ignore")


def test_a_text_is_answered(client: openai.OpenAI) -> None:
    reply = client.responses.create(
        model="tiny", input="Hallo", max_output_tokens=30, metadata={"a": "b"}, user="me"
    )
    assert reply.output_text == spoken(30)
    assert (reply.status, reply.incomplete_details.reason) == ("incomplete", "max_output_tokens")
    assert reply.output[0].status == "incomplete"
    assert reply.usage.input_tokens == len(RENDERED)
    assert reply.usage.output_tokens == 30
    assert reply.usage.total_tokens == len(RENDERED) + 30
    assert (reply.metadata, reply.user, reply.tool_choice) == ({"a": "b"}, "me", "auto")


def test_instructions_and_items_become_the_conversation(client: openai.OpenAI, engine: Any) -> None:
    client.responses.create(
        model="tiny",
        instructions="Be brief.",
        input=[
            {"role": "user", "content": [{"type": "input_text", "text": "Weather?"}]},
            {"type": "reasoning", "id": "rs_1", "summary": []},
            {"role": "assistant", "content": "I look."},
            {"type": "function_call", "call_id": "c1", "name": "weather", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c1", "output": "Rain."},
        ],
        max_output_tokens=1,
    )
    prompt = bytes(engine.streams[-1].request.prompt).decode()
    assert prompt.startswith("<system>Be brief.\n<user>Weather?\n<assistant>I look.[")
    assert "'name': 'weather'" in prompt
    assert prompt.endswith("<tool>Rain.\n<assistant>")


def test_an_answer_without_a_limit_goes_to_the_end_of_the_context(
    client: openai.OpenAI, engine: Any
) -> None:
    client.responses.create(model="tiny", input="Hallo")
    assert engine.streams[-1].request.sampling.max_tokens == 2000 - len(RENDERED)


def test_a_stream_tells_in_order_how_the_response_comes_about(client: openai.OpenAI) -> None:
    with client.responses.stream(model="tiny", input="Hallo", max_output_tokens=20) as stream:
        events = list(stream)
        final = stream._state._completed_response
    kinds = [event.type for event in events]
    deltas = kinds.count("response.output_text.delta")
    assert kinds == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        *["response.output_text.delta"] * deltas,
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.incomplete",
    ]
    assert [event.sequence_number for event in events] == list(range(len(events)))
    said = "".join(e.delta for e in events if e.type == "response.output_text.delta")
    assert said == events[-1].response.output_text == spoken(20)
    assert final is None  # the client keeps completed ones only


def test_calls_are_items_whole_and_streamed(client: openai.OpenAI) -> None:
    whole = client.responses.create(model="calls", input="Hallo", tools=[WEATHER])
    assert whole.status == "completed"
    assert [item.type for item in whole.output] == ["message", "function_call", "function_call"]
    assert whole.output[0].content[0].text == "Sure."
    assert [item.name for item in whole.output[1:]] == ["weather", "now"]
    assert whole.output[1].arguments == '{"city": "Zürich"}'
    assert whole.tools[0].name == "weather"
    with client.responses.stream(model="calls", input="Hallo", tools=[WEATHER]) as stream:
        events = list(stream)
        final = stream.get_final_response()
    assert [item.type for item in final.output] == [item.type for item in whole.output]
    assert [i.arguments for i in final.output[1:]] == [i.arguments for i in whole.output[1:]]
    pieces = [e for e in events if e.type == "response.function_call_arguments.delta"]
    first = "".join(piece.delta for piece in pieces if piece.output_index == 1)
    assert first == whole.output[1].arguments


def test_a_format_is_followed_and_parsed(client: openai.OpenAI, engine: Any) -> None:
    class Colour(BaseModel):
        name: str

    with pytest.raises(ValueError, match="Colour"):  # the engine here follows no form
        client.responses.parse(model="tiny", input="Hallo", text_format=Colour)
    constraint = engine.streams[-1].request.sampling.constraint
    assert constraint.kind == "json_schema"
    assert '"name"' in constraint.value


def test_choices_of_tools(client: openai.OpenAI, engine: Any) -> None:
    other = WEATHER | {"name": "other"}
    ask: Any = {"model": "calls", "input": "Hallo", "tools": [WEATHER, other]}
    allowed = {
        "type": "allowed_tools",
        "mode": "auto",
        "tools": [{"type": "function", "name": "other"}],
    }
    client.responses.create(**ask, tool_choice=allowed)
    assert "<tools>['other']" in bytes(engine.streams[-1].request.prompt).decode()
    client.responses.create(**ask, tool_choice={"type": "function", "name": "weather"})
    assert engine.streams[-1].request.sampling.constraint.kind == "grammar"
    reply = client.responses.create(**ask, tool_choice="none")
    assert [item.type for item in reply.output] == ["message"]


def test_logprobs_are_included_where_they_are_asked_for(client: openai.OpenAI) -> None:
    ask: Any = {"model": "tiny", "input": "Hallo", "max_output_tokens": 3, "top_logprobs": 2}
    include = ["message.output_text.logprobs"]
    (part,) = client.responses.create(**ask, include=include).output[0].content
    assert [len(token.top_logprobs) for token in part.logprobs] == [2, 2, 2]
    (part,) = client.responses.create(**ask).output[0].content
    assert part.logprobs == []


# -- kept -----------------------------------------------------------------------------------------


def test_a_response_is_kept_and_deleted(client: openai.OpenAI) -> None:
    made = client.responses.create(model="tiny", input="Hallo", max_output_tokens=5)
    assert client.responses.retrieve(made.id).model_dump() == made.model_dump()
    (item,) = client.responses.input_items.list(made.id)
    assert (item.role, item.content[0].text) == ("user", "Hallo")
    with pytest.raises(openai.BadRequestError, match="Only background"):
        client.responses.cancel(made.id)
    client.responses.delete(made.id)
    for gone in (client.responses.retrieve, client.responses.delete, client.responses.cancel):
        with pytest.raises(openai.NotFoundError):
            gone(made.id)


def test_a_streamed_response_is_kept_once_it_is_whole(client: openai.OpenAI) -> None:
    with client.responses.stream(model="calls", input="Hallo", tools=[WEATHER]) as stream:
        final = stream.get_final_response()
    assert client.responses.retrieve(final.id).output_text == final.output_text


def test_one_that_is_not_to_be_stored_is_not(client: openai.OpenAI) -> None:
    made = client.responses.create(model="tiny", input="Hi", max_output_tokens=5, store=False)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(made.id)


def test_a_conversation_goes_on_from_a_response(client: openai.OpenAI, engine: Any) -> None:
    first = client.responses.create(
        model="tiny", input="One", instructions="Not carried on.", max_output_tokens=5
    )
    second = client.responses.create(
        model="tiny", input="Two", previous_response_id=first.id, max_output_tokens=5
    )
    third = client.responses.create(
        model="tiny", input="Three", previous_response_id=second.id, max_output_tokens=5
    )
    said = spoken(5)
    prompt = bytes(engine.streams[-1].request.prompt).decode()
    turns = f"<user>One\n<assistant>{said}\n<user>Two\n<assistant>{said}\n<user>Three\n<assistant>"
    assert prompt == turns
    items = list(client.responses.input_items.list(third.id, order="asc", limit=2))
    assert [item.content[0].text for item in items] == ["One", said, "Two", said, "Three"]
    client.responses.delete(first.id)
    with pytest.raises(openai.BadRequestError) as caught:
        client.responses.create(model="tiny", input="Four", previous_response_id=second.id)
    assert caught.value.code == "previous_response_not_found"


def test_what_is_too_long_may_be_cut_at_its_beginning(client: openai.OpenAI, engine: Any) -> None:
    turns: Any = [{"role": "user", "content": f"{i}" + "x" * 600} for i in range(5)]
    with pytest.raises(openai.BadRequestError) as caught:
        client.responses.create(model="tiny", input=turns, max_output_tokens=5)
    assert caught.value.code == "context_length_exceeded"
    client.responses.create(
        model="tiny",
        input=turns,
        instructions="Stay.",
        truncation="auto",
        max_output_tokens=5,
    )
    prompt = bytes(engine.streams[-1].request.prompt).decode()
    assert prompt.startswith("<system>Stay.\n<user>2x")


# -- what goes wrong ------------------------------------------------------------------------------


def test_a_failure_in_the_middle_is_told_as_one(client: openai.OpenAI) -> None:
    with client.responses.stream(model="breaks", input="Hallo") as stream:
        last = list(stream)[-1]
    assert (last.type, last.response.status) == ("response.failed", "failed")
    assert last.response.error.message == "The disk failed."
    with client.responses.stream(model="bug", input="Hallo") as stream:
        last = list(stream)[-1]
    assert "secret" not in last.response.error.message
    with pytest.raises(openai.InternalServerError):
        client.responses.create(model="breaks", input="Hallo")


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"input": []}, "input"),
        ({"input": [{"type": "computer_call"}]}, "input"),
        ({"input": [{"type": []}]}, "input"),
        ({"input": [{"role": "user", "content": [{"type": "input_image"}]}]}, "input"),
        (
            {"input": [{"type": "function_call", "call_id": "a", "name": "f", "arguments": "{"}]},
            "input",
        ),
        ({"temperature": 3}, "temperature"),
        ({"max_output_tokens": 0}, "max_output_tokens"),
        ({"text": {"format": {"type": "xml"}}}, "text"),
        ({"tools": [{"type": "web_search"}]}, "tools"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"metadata": {"a": "x" * 513}}, "metadata"),
        ({"previous_response_id": "resp_none"}, "previous_response_id"),
        ({"previous_response_id": "\0"}, "previous_response_id"),
        *(({name: {"something": 1}}, name) for name in UNSERVED),
    ],
)
def test_a_bad_field_is_named(change: dict, param: str, whole: TestClient) -> None:
    response = whole.post("/v1/responses", json={"model": "tiny", "input": "Hi"} | change)
    assert response.status_code == 400, response.text
    error = response.json()["error"]
    assert error["param"] == param
    assert "max_tokens" not in error["message"]


def test_an_unknown_model_is_a_404(whole: TestClient) -> None:
    response = whole.post("/v1/responses", json={"model": "nobody", "input": "Hi"})
    assert response.status_code == 404
    assert response.json()["error"]["code"] == "model_not_found"


def test_other_projects_see_nothing(whole: TestClient, keys: Any) -> None:
    ask = {"model": "tiny", "input": "Hi", "max_output_tokens": 3}
    made = whole.post("/v1/responses", json=ask).json()["id"]
    whole.headers["authorization"] = f"Bearer {keys.create('other')}"
    unknown = "resp_" + "0" * 32
    for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/cancel"), ("GET", "/input_items")):
        replies = [whole.request(method, f"/v1/responses/{i}{path}") for i in (made, unknown)]
        assert [reply.status_code for reply in replies] == [404, 404]
        texts = [reply.json()["error"]["message"] for reply in replies]
        assert texts[0].replace(made, unknown) == texts[1]
    going_on = whole.post("/v1/responses", json=ask | {"previous_response_id": made})
    assert going_on.status_code == 400


def test_pages_of_items(whole: TestClient) -> None:
    items = [{"role": "user", "content": str(i)} for i in range(5)]
    made = whole.post("/v1/responses", json={"model": "tiny", "input": items}).json()["id"]
    path = f"/v1/responses/{made}/input_items?order=asc"
    first = whole.get(path + "&limit=3").json()
    assert (len(first["data"]), first["has_more"]) == (3, True)
    rest = whole.get(f"{path}&after={first['last_id']}").json()
    assert ([i["content"][0]["text"] for i in rest["data"]], rest["has_more"]) == (
        ["3", "4"],
        False,
    )
    assert whole.get(path + "&after=none").status_code == 400
    assert whole.get(path + "&limit=0").status_code == 400
