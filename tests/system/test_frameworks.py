"""`hearth up`, driven by what others have built on OpenAI's API: LangChain and LiteLLM, unmodified.

`instructor` wants an older `jiter` than the official client, so that they do not install together.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import openai
import pytest
from pydantic import BaseModel, ConfigDict

from openhearth.models import pull
from openhearth.store import Store
from tests.system.up import Platform, copy_of, running

# They warn of themselves.
pytestmark = [pytest.mark.system, pytest.mark.filterwarnings("ignore")]

QUESTION = "Say something about fire."
TURNS = [{"role": "user", "content": QUESTION}]
SETTINGS: dict[str, Any] = {"max_tokens": 24, "temperature": 0, "seed": 1}
LONGER: dict[str, Any] = SETTINGS | {"max_tokens": 100}  # for a whole object


class Weather(BaseModel):
    """Look up the weather in a city."""

    model_config = ConfigDict(extra="forbid")

    city: Literal["Oslo", "Rome"]


@pytest.fixture(scope="module")
def server(
    tiny_model_home: Path, encoder_directory: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Platform]:
    home = copy_of(tiny_model_home, tmp_path_factory.mktemp("frameworks") / "home")
    pull(Store(home), str(encoder_directory), name="vectors")
    with running(home) as platform:
        yield platform


@pytest.fixture(scope="module")
def answer(server: Platform) -> str:
    """What the official client is told."""
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key=server.key) as client:
        reply = client.chat.completions.create(model="tiny", messages=TURNS, **SETTINGS)
    assert reply.choices[0].message.content
    return reply.choices[0].message.content


@pytest.fixture
def base(server: Platform) -> dict[str, Any]:
    return {"base_url": f"{server.url}/v1", "api_key": server.key, "max_retries": 0}


@pytest.fixture
def lang(base: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Any:
    """LangChain's module, which reports to nobody."""
    monkeypatch.setenv("LANGSMITH_TRACING", "false")
    import langchain_openai

    return langchain_openai


@pytest.fixture
def lite(monkeypatch: pytest.MonkeyPatch) -> Any:
    """LiteLLM's module, with the prices that it ships."""
    monkeypatch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    import litellm

    return litellm


def test_langchain_chats(lang: Any, base: dict[str, Any], answer: str) -> None:
    chat = lang.ChatOpenAI(model="tiny", **base, **SETTINGS)
    reply = chat.invoke(QUESTION)
    assert reply.content == answer
    assert 0 < reply.usage_metadata["output_tokens"] <= SETTINGS["max_tokens"]
    pieces = list(chat.stream(QUESTION, stream_usage=True))
    assert "".join(piece.content for piece in pieces) == answer
    used = [piece.usage_metadata for piece in pieces if piece.usage_metadata]
    assert used[-1]["output_tokens"] == reply.usage_metadata["output_tokens"]
    both = asyncio.run(chat.abatch([QUESTION, QUESTION]))
    assert [one.content for one in both] == [answer, answer]


def test_langchain_calls_tools_and_goes_on(lang: Any, base: dict[str, Any]) -> None:
    from langchain_core.messages import HumanMessage, ToolMessage

    chat = lang.ChatOpenAI(model="tiny", **base, **LONGER)
    calling = chat.bind_tools([Weather], tool_choice="Weather", parallel_tool_calls=False)
    called = calling.invoke(QUESTION)
    (call,) = called.tool_calls
    assert call["name"] == "Weather"
    assert Weather(**call["args"])
    whole = None
    for piece in calling.stream(QUESTION):
        whole = piece if whole is None else whole + piece
    assert [one["args"] for one in whole.tool_calls] == [call["args"]]
    told = ToolMessage("It is warm.", tool_call_id=call["id"])
    assert chat.invoke([HumanMessage(QUESTION), called, told]).usage_metadata["input_tokens"]


@pytest.mark.parametrize("method", ["json_schema", "function_calling"])
def test_langchain_gets_objects(method: str, lang: Any, base: dict[str, Any]) -> None:
    chat = lang.ChatOpenAI(model="tiny", **base, **LONGER)
    found = chat.with_structured_output(Weather, method=method).invoke(QUESTION)
    assert isinstance(found, Weather)


def test_langchain_uses_the_other_routes(lang: Any, base: dict[str, Any]) -> None:
    about = {"model": "tiny", "max_tokens": 24, "temperature": 0} | base
    responses = lang.ChatOpenAI(use_responses_api=True, **about)
    reply = responses.invoke(QUESTION)
    assert reply.usage_metadata["output_tokens"]
    streamed = list(responses.stream(QUESTION))
    assert streamed[-1].usage_metadata or any(piece.usage_metadata for piece in streamed)
    assert isinstance(lang.OpenAI(model="tiny", **base, **SETTINGS).invoke(QUESTION), str)
    # Without the tokenizer of OpenAI's models, which it would fetch.
    embedder = lang.OpenAIEmbeddings(model="vectors", check_embedding_ctx_length=False, **base)
    one, other = embedder.embed_documents(["fire", "hearth"])
    assert len(one) == len(other) == 32
    assert embedder.embed_query("fire") == pytest.approx(one, abs=1e-5)


def test_langchain_tells_what_was_wrong(lang: Any, base: dict[str, Any]) -> None:
    with pytest.raises(openai.NotFoundError, match="nobody"):
        lang.ChatOpenAI(model="nobody", **base).invoke(QUESTION)


def ask(base: dict[str, Any], **more: Any) -> dict[str, Any]:
    """The arguments of LiteLLM's functions."""
    about: dict[str, Any] = {"model": "openai/tiny", "messages": TURNS, "max_retries": 0}
    return about | {"api_base": base["base_url"], "api_key": base["api_key"]} | SETTINGS | more


def test_litellm_chats(lite: Any, base: dict[str, Any], answer: str) -> None:
    reply = lite.completion(**ask(base))
    assert reply.choices[0].message.content == answer
    assert 0 < reply.usage.completion_tokens <= SETTINGS["max_tokens"]
    chunks = list(lite.completion(**ask(base), stream=True, stream_options={"include_usage": True}))
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == answer
    (used,) = [chunk.usage for chunk in chunks if getattr(chunk, "usage", None)]
    assert used.completion_tokens == reply.usage.completion_tokens

    async def both() -> list[str]:
        whole = await lite.acompletion(**ask(base))
        chunks = [c async for c in await lite.acompletion(**ask(base), stream=True)]
        streamed = "".join(c.choices[0].delta.content or "" for c in chunks)
        return [whole.choices[0].message.content, streamed]

    assert asyncio.run(both()) == [answer, answer]


def test_litellm_calls_tools_and_gets_objects(lite: Any, base: dict[str, Any]) -> None:
    function = {"name": "Weather", "parameters": Weather.model_json_schema()}
    tool = {"type": "function", "function": function}
    named = {"type": "function", "function": {"name": "Weather"}}
    more = LONGER | {"tools": [tool], "tool_choice": named, "parallel_tool_calls": False}
    (call,) = lite.completion(**ask(base, **more)).choices[0].message.tool_calls
    assert call.function.name == "Weather"
    assert Weather.model_validate_json(call.function.arguments)
    chunks = lite.completion(**ask(base, **more), stream=True)
    calls = [one for chunk in chunks for one in chunk.choices[0].delta.tool_calls or ()]
    assert "".join(one.function.arguments or "" for one in calls) == call.function.arguments
    schema = {"name": "weather", "strict": True, "schema": Weather.model_json_schema()}
    form = {"type": "json_schema", "json_schema": schema}
    reply = lite.completion(**ask(base, **LONGER, response_format=form))
    assert Weather(**json.loads(reply.choices[0].message.content))


def test_litellm_uses_the_other_routes(lite: Any, base: dict[str, Any]) -> None:
    where: dict[str, Any] = {"api_base": base["base_url"], "api_key": base["api_key"]}
    greedy = where | {"temperature": 0}
    reply = lite.text_completion(model="text-completion-openai/tiny", prompt=QUESTION, **greedy)
    assert reply.usage.completion_tokens
    texts = ["fire", "hearth"]
    found = lite.embedding("openai/vectors", texts, encoding_format="float", **where)
    assert [len(one["embedding"]) for one in found.data] == [32, 32]
    told = lite.responses(QUESTION, "openai/tiny", max_output_tokens=24, **greedy)
    assert told.usage.output_tokens


def test_litellm_tells_what_was_wrong(lite: Any, base: dict[str, Any]) -> None:
    with pytest.raises(lite.NotFoundError, match="nobody"):
        lite.completion(**ask(base, model="openai/nobody"))
    with pytest.raises(lite.AuthenticationError):
        lite.completion(**ask(base, api_key="wrong"))
