"""Requests in the words of each kind of server, as their documentation has them in 2026."""

from __future__ import annotations

from typing import Any

import pytest

from openhearth.errors import UsageError
from openhearth.inference.remote.dialect import DIALECTS, PLAIN, Dialect
from openhearth.inference.request import Constraint, Request, Sampling

SCHEMA = Constraint("json_schema", '{"type": "object"}')
REGEX = Constraint("regex", "[ab]+")
CHOICE = Constraint("choice", ("yes", "no?"))
FORMAT = {
    "type": "json_schema",
    "json_schema": {"name": "answer", "schema": {"type": "object"}},
}


def body(dialect: Dialect, **sampling: Any) -> dict[str, Any]:
    return dialect.body("there", Request("here", [1, 2, 3], Sampling(**sampling)))


@pytest.mark.parametrize("dialect", [*DIALECTS.values(), PLAIN])
def test_everything_that_openai_has_is_always_said(dialect: Dialect) -> None:
    said = body(dialect, seed=7, stop=("\n", ""), logit_bias={5: -100.0}, logprobs=0)
    assert (
        said
        | {
            "model": "there",
            "prompt": [1, 2, 3],
            "stream": True,
            "stream_options": {"include_usage": True},
            "max_tokens": 256,
            "temperature": 1.0,
            "top_p": 1.0,
            "presence_penalty": 0.0,
            "frequency_penalty": 0.0,
            "seed": 7,
            "stop": ["\n"],
            "logit_bias": {"5": -100.0},
            "logprobs": 1,
        }
        == said
    )
    assert not {"seed", "stop", "logit_bias", "logprobs"} & body(dialect).keys()


def test_defaults_are_said_where_servers_have_others() -> None:
    for name, every in (("openhearth", 0), ("vllm", -1), ("sglang", -1)):
        said = body(DIALECTS[name])
        assert (said["top_k"], said["min_p"], said["repetition_penalty"]) == (every, 0.0, 1.0)
        assert said["skip_special_tokens"] is True
    said = body(DIALECTS["llamacpp"], top_k=40, repetition_penalty=1.1)
    assert (said["top_k"], said["min_p"], said["repeat_penalty"]) == (40, 0.0, 1.1)


@pytest.mark.parametrize("dialect", [*DIALECTS.values(), PLAIN])
def test_special_tokens_are_asked_for(dialect: Dialect) -> None:
    assert body(dialect, skip_special_tokens=False)["skip_special_tokens"] is False


def test_an_unknown_server_is_asked_for_no_more_than_is_wanted() -> None:
    beyond = {"top_k", "min_p", "repetition_penalty", "skip_special_tokens", "return_token_ids"}
    assert not beyond & body(PLAIN).keys()
    assert body(PLAIN, top_k=3)["top_k"] == 3


@pytest.mark.parametrize(
    ("name", "constraint", "words"),
    [
        ("openhearth", SCHEMA, {"response_format": FORMAT}),
        ("openhearth", REGEX, {"response_format": {"type": "regex", "pattern": "[ab]+"}}),
        ("vllm", SCHEMA, {"response_format": FORMAT}),
        ("vllm", REGEX, {"structured_outputs": {"regex": "[ab]+"}}),
        ("vllm", CHOICE, {"structured_outputs": {"regex": r"yes|no\?"}}),
        ("sglang", SCHEMA, {"response_format": FORMAT}),
        ("sglang", CHOICE, {"regex": r"yes|no\?"}),
        ("llamacpp", SCHEMA, {"json_schema": {"type": "object"}}),
    ],
)
def test_constraints(name: str, constraint: Constraint, words: dict[str, Any]) -> None:
    said = body(DIALECTS[name], constraint=constraint)
    assert said | words == said


@pytest.mark.parametrize(
    ("name", "constraint"),
    [("llamacpp", REGEX), ("llamacpp", CHOICE), ("vllm", Constraint("grammar", 'start: "a"'))],
)
def test_what_a_server_cannot_hold_is_refused(name: str, constraint: Constraint) -> None:
    with pytest.raises(UsageError, match=constraint.kind):
        body(DIALECTS[name], constraint=constraint)
