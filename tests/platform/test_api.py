"""What raw HTTP sees: statuses and shapes of errors, bounds, ids, and no 500 for any body."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from openhearth.inference import Answer, ModelCard, TokenLogprob
from openhearth.platform.chat import ChatRequest
from openhearth.platform.completions import CompletionRequest, likeliest
from openhearth.platform.guard import MAX_BODY
from openhearth.platform.parameters import UNSERVED, room_after
from tests.platform.conftest import CONTEXT

CHAT = "/v1/chat/completions"
TEXT = "/v1/completions"
TOOL = {"type": "function", "function": {"name": "weather"}}
IMPOSSIBLE = {
    "type": "function",
    "function": {"name": "f", "parameters": {"type": "object", "title": "impossible"}},
}
LISTED = {"type": "function", "function": {"name": "f", "parameters": {"type": "array"}}}
OTHER = {"type": "function", "function": {"name": "other"}}
CALLED = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
UNREADABLE = CALLED | {"function": {"name": "f", "arguments": "{"}}
AS_JSON = {"content-type": "application/json"}
ASK: dict[str, Any] = {
    "model": "tiny",
    "messages": [{"role": "user", "content": "Hi"}],
    "max_tokens": 3,
}


def error_of(response: Any) -> dict[str, Any]:
    """The error, after checking that it has the documented shape."""
    body = response.json()
    assert set(body) == {"error"}
    assert set(body["error"]) == {"message", "type", "param", "code"}
    assert body["error"]["message"]
    assert re.fullmatch(r"req-[0-9a-f]{32}", response.headers["x-request-id"])
    return body["error"]


def test_health_needs_no_key_and_all_else_does(http: TestClient) -> None:
    del http.headers["authorization"]
    assert http.get("/health").json() == {"status": "ok"}
    for path in ("/v1/models", "/nowhere", "/metrics"):
        assert error_of(http.get(path))["code"] == "invalid_api_key"


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", "Basic abc", "Bearer oh-wrong", "Bearer \xfc\xff"]
)
def test_a_wrong_key_is_refused_without_being_repeated(header: str, http: TestClient) -> None:
    key = http.headers.pop("authorization").removeprefix("Bearer ")
    # The header is right in the first half of the key, so that a leak of either would show.
    for sent in (header.encode("latin-1"), f"Bearer {key[:-1]}".encode()):
        response = http.post(CHAT, json=ASK, headers={"authorization": sent})
        assert response.status_code == 401
        assert error_of(response)["code"] == "invalid_api_key"
        assert key[:12] not in response.text
        assert "wrong\xfc" not in response.text


def test_every_response_has_its_own_request_id(http: TestClient) -> None:
    responses = [http.get("/health"), http.post(CHAT, json=ASK), http.post(CHAT, json={})]
    responses += [http.get("/nowhere"), http.post(CHAT, json=ASK | {"model": "bug"})]
    assert [r.status_code for r in responses] == [200, 200, 400, 404, 500]
    assert len({r.headers["x-request-id"] for r in responses}) == len(responses)


def test_a_bug_tells_the_caller_nothing_but_its_id(http: TestClient) -> None:
    response = http.post(CHAT, json=ASK | {"model": "bug"})
    assert error_of(response)["type"] == "server_error"
    assert response.headers["x-request-id"] in response.json()["error"]["message"]
    assert "secret" not in response.text


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"messages": []}, "messages"),
        ({"messages": "Hi"}, "messages"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "messages"),
        ({"model": None}, "model"),
        ({"temperature": 3}, "temperature"),
        ({"temperature": "1"}, "temperature"),
        ({"top_p": -0.1}, "top_p"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_completion_tokens": 0}, "max_tokens"),
        ({"n": 17}, "n"),
        ({"n": True}, "n"),
        ({"seed": 2**64}, "seed"),
        ({"priority": -1}, "priority"),
        ({"priority": 0.5}, "priority"),
        ({"stop": ["x"] * 17}, "stop"),
        ({"stop": "x" * 257}, "stop"),
        ({"logit_bias": {"a": 1}}, "logit_bias"),
        ({"logit_bias": {"1": 101}}, "logit_bias"),
        ({"logprobs": True, "top_logprobs": 21}, "top_logprobs"),
        ({"logprobs": 21}, "logprobs"),
        ({"top_logprobs": 2}, "top_logprobs"),
        ({"response_format": {"type": "xml"}}, "response_format"),
        ({"response_format": {"type": "json_schema"}}, "response_format"),
        ({"response_format": {"type": "regex", "pattern": "impossible"}}, "response_format"),
        ({"tools": [{}]}, "tools"),
        ({"tools": [TOOL | {"type": "plugin"}]}, "tools"),
        ({"tools": [{"type": "function", "function": {"name": "no spaces"}}]}, "tools"),
        ({"tools": [IMPOSSIBLE], "tool_choice": "required"}, "tools"),
        ({"tools": [LISTED], "tool_choice": "required"}, "tools"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"tools": [TOOL], "tool_choice": "sometimes"}, "tool_choice"),
        ({"tools": [TOOL], "tool_choice": OTHER}, "tool_choice"),
        ({"messages": [{"role": "user", "content": None}]}, "messages"),
        ({"messages": [{"role": "user", "content": "x", "tool_calls": [CALLED]}]}, "messages"),
        ({"messages": [{"role": "assistant", "tool_calls": [UNREADABLE]}]}, "messages"),
        ({"functions": [{"name": "f"}], "tools": [TOOL]}, "functions"),
        ({"functions": [{"name": "f"}], "function_call": "required"}, "function_call"),
        ({"messages": [{"role": "function", "content": "x"}]}, "messages"),
        ({"context_length_exceeded_behavior": "forget"}, "context_length_exceeded_behavior"),
        ({"chat_template_kwargs": []}, "chat_template_kwargs"),
        ({"best_of": 2}, "best_of"),
        ({"safety_model": "guard"}, "safety_model"),
    ],
)
def test_a_bad_chat_parameter_is_named(change: dict, param: str, http: TestClient) -> None:
    response = http.post(CHAT, json=ASK | change)
    assert response.status_code == 400
    error = error_of(response)
    assert (error["param"], error["type"]) == (param, "invalid_request_error")


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"prompt": ""}, "prompt"),
        ({"prompt": []}, "prompt"),
        ({"prompt": [[]]}, "prompt"),
        ({"prompt": ["a", 1]}, "prompt"),
        ({"prompt": [-1]}, "prompt"),
        ({"prompt": ["a"] * 65}, "prompt"),
        ({"prompt": ["a"] * 40, "n": 4}, "n"),
        ({"prompt": "a", "logprobs": 21}, "logprobs"),
        ({"prompt": "a", "echo": True, "logprobs": 1}, "echo"),
        ({"prompt": "a", "suffix": "b"}, "suffix"),
        ({"prompt": "a", "best_of": 0}, "best_of"),
        ({"prompt": "a", "best_of": 2, "n": 3}, "best_of"),
        ({"prompt": "a", "best_of": 2, "stream": True}, "best_of"),
        ({"prompt": ["a"] * 40, "best_of": 4}, "n"),
        ({"prompt": "a", "tools": [TOOL]}, "tools"),
    ],
)
def test_a_bad_completion_parameter_is_named(body: dict, param: str, http: TestClient) -> None:
    response = http.post(TEXT, json={"model": "tiny"} | body)
    assert response.status_code == 400
    assert error_of(response)["param"] == param


def asked(engine: Any) -> Any:
    """What was asked of the engine last."""
    return engine.streams[-1].request


def test_a_chat_without_a_limit_goes_to_the_end_of_the_context(
    http: TestClient, engine: Any
) -> None:
    body = {name: value for name, value in ASK.items() if name != "max_tokens"}
    usage = http.post(CHAT, json=body).json()["usage"]
    assert usage["total_tokens"] == CONTEXT
    assert asked(engine).sampling.max_tokens == CONTEXT - usage["prompt_tokens"]


def test_or_to_the_end_of_the_memory_if_that_is_less() -> None:
    card = ModelCard("tiny", "", CONTEXT, room=50)
    assert [room_after(card, prompt) for prompt in (0, 40, 50, 60)] == [50, 10, 1, 1]


@pytest.mark.parametrize(("path", "body"), [(CHAT, ASK), (TEXT, {"model": "tiny", "prompt": "a"})])
def test_what_does_not_fit_the_context_is_cut_where_that_is_asked_for(
    path: str, body: dict, http: TestClient, engine: Any
) -> None:
    cut = {"max_tokens": 5000, "context_length_exceeded_behavior": "truncate"}
    assert http.post(path, json=body | cut).json()["usage"]["total_tokens"] == CONTEXT
    http.post(path, json=body | cut | {"context_length_exceeded_behavior": "error"})
    assert asked(engine).sampling.max_tokens == 5000
    http.post(path, json=body | cut | {"max_tokens": 7})
    assert asked(engine).sampling.max_tokens == 7


def test_a_template_may_know_words_of_its_own(http: TestClient, engine: Any) -> None:
    http.post(CHAT, json=ASK | {"chat_template_kwargs": {"enable_thinking": False}})
    assert bytes(asked(engine).prompt).startswith(b"{'enable_thinking': False}")


def test_the_likeliest_of_several_are_given_back(http: TestClient) -> None:
    ask = {"model": "tiny", "prompt": ["a", "b"], "max_tokens": 6, "n": 2, "best_of": 4}
    reply = http.post(TEXT, json=ask).json()
    assert [choice["index"] for choice in reply["choices"]] == [0, 1, 2, 3]
    assert [choice["logprobs"] for choice in reply["choices"]] == [None] * 4
    assert reply["usage"]["completion_tokens"] == 8 * 6
    assert reply["usage"]["prompt_tokens"] == 2
    means = [-3.0, -1.0, -2.0, -4.0, -1.0, -9.0, -9.0, -1.5]
    answers = [
        Answer(logprobs=[TokenLogprob(0, "", 2 * mean), TokenLogprob(0, "", 0)]) for mean in means
    ]
    best = likeliest(CompletionRequest(**ask), answers)
    assert [answer.logprobs[0].logprob / 2 for answer in best] == [-1.0, -2.0, -1.0, -1.5]


def test_null_means_the_default(http: TestClient, engine: Any) -> None:
    names = ("temperature", "top_p", "n", "stop", "seed", "logit_bias", "stream", "tools")
    response = http.post(CHAT, json=ASK | dict.fromkeys(names))
    assert response.status_code == 200
    assert engine.streams[-1].request.sampling.temperature == 1.0


@pytest.mark.parametrize(("path", "body"), [(CHAT, ASK), (TEXT, {"model": "tiny", "prompt": "a"})])
def test_a_larger_number_steps_back(path: str, body: dict, http: TestClient, engine: Any) -> None:
    for sent, meant in ((3, -3), (0, 0), (None, 0)):
        assert http.post(path, json=body | {"priority": sent}).status_code == 200
        assert engine.streams[-1].request.priority == meant


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"{", "application/json"),
        (b"", "application/json"),
        (b"[" * 100_000, "application/json"),
        (b"\xff\xfe", "application/json"),
        (b'{"model": 1e999}', "application/json"),
        (b'{"n": ' + b"9" * 5000 + b"}", "application/json"),
        (json.dumps(ASK).encode(), "text/plain"),
        (b"a=b", "application/x-www-form-urlencoded"),
    ],
)
def test_a_body_that_is_not_json_is_a_400(content: bytes, kind: str, http: TestClient) -> None:
    response = http.post(CHAT, content=content, headers={"content-type": kind})
    assert response.status_code == 400
    error_of(response)


def test_unknown_routes_and_methods(http: TestClient) -> None:
    missing, wrong = http.get("/v1/nothing"), http.get(CHAT)
    assert (missing.status_code, wrong.status_code) == (404, 405)
    assert "/v1/nothing" in error_of(missing)["message"]
    error_of(wrong)


def test_a_large_body_is_refused_whether_or_not_it_says_so(http: TestClient) -> None:
    honest = http.post(CHAT, content=b" " * (MAX_BODY + 1))
    chunked = http.post(CHAT, content=(b" " * 2**16 for _ in range(MAX_BODY // 2**16 + 1)))
    for response in (honest, chunked):
        assert response.status_code == 413
        error_of(response)
    assert (
        http.post(CHAT, content=json.dumps(ASK) + " " * 2**16, headers=AS_JSON).status_code == 200
    )


def test_a_closing_engine_is_a_503(http: TestClient, engine: Any) -> None:
    engine.close()
    response = http.post(CHAT, json=ASK)
    assert response.status_code == 503
    assert error_of(response)["code"] == "server_overloaded"
    assert response.headers["retry-after"] == "1"


# -- fuzz -----------------------------------------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
PARAMETERS = sorted(ChatRequest.model_fields | CompletionRequest.model_fields | UNSERVED)
FUZZ = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def check_fuzzed(response: Any) -> None:
    """Success, or an error that is the caller's and says so in the documented shape."""
    assert response.status_code in (200, 400, 404), response.text
    if response.status_code != 200:
        error_of(response)


@FUZZ
@given(path=st.sampled_from([CHAT, TEXT]), body=JSON)
def test_no_json_body_breaks_the_server(http: TestClient, path: str, body: Any) -> None:
    check_fuzzed(http.post(path, content=json.dumps(body), headers=AS_JSON))


@FUZZ
@given(
    path=st.sampled_from([CHAT, TEXT]),
    change=st.dictionaries(st.sampled_from(PARAMETERS), JSON, min_size=1, max_size=3),
)
def test_no_parameter_breaks_the_server(http: TestClient, path: str, change: dict) -> None:
    body = ASK | {"prompt": "Hi"} | change
    check_fuzzed(http.post(path, content=json.dumps(body), headers=AS_JSON))


@FUZZ
@given(body=st.binary(max_size=64))
def test_no_bytes_break_the_server(http: TestClient, body: bytes) -> None:
    check_fuzzed(http.post(CHAT, content=body, headers=AS_JSON))


@pytest.mark.parametrize(
    ("asked", "skipped"), [({}, True), ({"skip_special_tokens": False}, False)]
)
def test_special_tokens_come_where_they_are_asked_for(
    http: TestClient, engine: Any, asked: dict[str, bool], skipped: bool
) -> None:
    assert http.post(TEXT, json={"model": "tiny", "prompt": "Hi"} | asked).status_code == 200
    assert engine.streams[-1].request.sampling.skip_special_tokens is skipped


def test_token_ids_come_where_they_are_asked_for(http: TestClient) -> None:
    ask = {"model": "tiny", "prompt": "Hi", "max_tokens": 5, "seed": 1}
    (choice,) = http.post(TEXT, json=ask | {"return_token_ids": True}).json()["choices"]
    assert bytes(choice["token_ids"]).decode() == choice["text"]
    assert http.post(TEXT, json=ask).json()["choices"][0]["token_ids"] is None
    streamed = http.post(TEXT, json=ask | {"return_token_ids": True, "stream": True}).text
    events = [json.loads(line[6:]) for line in streamed.splitlines() if line.startswith("data: {")]
    steps = [step["choices"][0] for step in events]
    assert [i for step in steps for i in step["token_ids"]] == choice["token_ids"]
    # A character of two tokens has its text with the second.
    assert any(step["token_ids"] and not step["text"] for step in steps)
