"""The unmodified official clients against the application behind a real server."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator
from typing import Any

import openai
import pytest
import together

SPEECH = "Grüße 🔥 an alle, die hier wärmen. " * 200
ASK = [{"role": "user", "content": "Hallo"}]
RENDERED = "<user>Hallo\n<assistant>"


def spoken(tokens: int, start: int = 0) -> str:
    """What the engine says in so many bytes."""
    return SPEECH[start:].encode()[:tokens].decode(errors="ignore")


@pytest.fixture
def loose(server: Any) -> Iterator[openai.OpenAI]:
    """For streams of completions: their strict type has a finish_reason on every chunk."""
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key=server.key) as client:
        yield client


@pytest.fixture
def tog(server: Any) -> Iterator[together.Together]:
    with together.Together(base_url=server.url, api_key=server.key, max_retries=0) as client:
        yield client


# -- models ---------------------------------------------------------------------------------------


def test_models_are_listed_and_retrieved(oai: openai.OpenAI) -> None:
    assert [m.id for m in oai.models.list()] == ["tiny", "me/tiny:2"]
    model = oai.models.retrieve("me/tiny:2")
    assert (model.object, model.owned_by) == ("model", "openhearth")
    assert model.model_extra
    assert model.model_extra["base"] == "tiny"
    with pytest.raises(openai.NotFoundError) as caught:
        oai.models.retrieve("nobody")
    assert caught.value.code == "model_not_found"


# -- chat -----------------------------------------------------------------------------------------


def test_openai_chat(oai: openai.OpenAI) -> None:
    reply = oai.chat.completions.create(model="tiny", messages=ASK, max_completion_tokens=30)
    choice = reply.choices[0]
    assert choice.message.content == spoken(30)
    assert choice.finish_reason == "length"
    assert reply.usage
    assert reply.usage.prompt_tokens == len(RENDERED)
    assert reply.usage.completion_tokens == 30
    assert reply.usage.total_tokens == len(RENDERED) + 30
    assert reply.usage.prompt_tokens_details.cached_tokens == 0
    assert reply._request_id


def test_together_chat(tog: together.Together) -> None:
    reply = tog.chat.completions.create(model="tiny", messages=ASK, max_tokens=30)
    assert reply.choices[0].message.content == spoken(30)
    assert reply.usage.completion_tokens == 30
    assert reply.prompt == []


def test_together_chat_echoes_the_prompt(tog: together.Together) -> None:
    reply = tog.chat.completions.create(model="tiny", messages=ASK, max_tokens=3, echo=True)
    assert reply.prompt[0].text == RENDERED


def test_openai_stream_is_what_the_whole_answer_is(oai: openai.OpenAI) -> None:
    stream = oai.chat.completions.create(model="tiny", messages=ASK, max_tokens=57, stream=True)
    chunks = list(stream)
    deltas = [chunk.choices[0].delta for chunk in chunks]
    assert "".join(delta.content for delta in deltas) == spoken(57)
    assert all(delta.role == "assistant" for delta in deltas)
    assert "\ufffd" not in "".join(delta.content for delta in deltas)
    assert [c.choices[0].finish_reason for c in chunks if c.choices[0].finish_reason] == ["length"]
    assert len({chunk.id for chunk in chunks}) == 1
    assert [c.usage is not None for c in chunks] == [False] * (len(chunks) - 1) + [True]


def test_openai_stream_with_usage_ends_with_usage_alone(oai: openai.OpenAI) -> None:
    *steps, last = oai.chat.completions.create(
        model="tiny",
        messages=ASK,
        max_tokens=10,
        stream=True,
        stream_options={"include_usage": True},
    )
    assert all(step.choices and step.usage is None for step in steps)
    assert last.choices == []
    assert last.usage.completion_tokens == 10


def test_together_stream(tog: together.Together) -> None:
    chunks = list(
        tog.chat.completions.create(model="tiny", messages=ASK, max_tokens=20, stream=True)
    )
    assert "".join(c.choices[0].delta.content for c in chunks) == spoken(20)
    assert chunks[-1].usage.completion_tokens == 20
    assert chunks[-1].choices[0].finish_reason == "length"


def test_choices_differ_by_seed_and_keep_their_index(oai: openai.OpenAI) -> None:
    ask: dict[str, Any] = {"model": "tiny", "messages": ASK, "max_tokens": 12, "n": 3, "seed": 5}
    whole = oai.chat.completions.create(**ask)
    texts = [spoken(12, start=5 + i) for i in range(3)]
    assert [c.message.content for c in whole.choices] == texts
    assert [c.index for c in whole.choices] == [0, 1, 2]
    assert whole.usage.completion_tokens == 36
    assert whole.usage.prompt_tokens == len(RENDERED)
    streamed = ["", "", ""]
    for chunk in oai.chat.completions.create(**ask, stream=True):
        streamed[chunk.choices[0].index] += chunk.choices[0].delta.content
        usage = chunk.usage
    assert streamed == texts
    assert usage.completion_tokens == 36


def test_stop_strings_end_the_answer_and_are_not_part_of_it(oai: openai.OpenAI) -> None:
    for stop in (" an", ["nie", " an"]):
        reply = oai.chat.completions.create(model="tiny", messages=ASK, stop=stop)
        assert reply.choices[0].message.content == "Grüße 🔥"
        assert reply.choices[0].finish_reason == "stop"


def test_content_parts_are_joined(oai: openai.OpenAI, server: Any) -> None:
    parts = [{"type": "text", "text": "Hal"}, {"type": "text", "text": "lo"}]
    oai.chat.completions.create(
        model="tiny", max_tokens=1, messages=[{"role": "developer", "content": parts}]
    )
    prompt = bytes(server.engine.streams[-1].request.prompt).decode()
    assert prompt == "<system>Hallo\n<assistant>"


def test_every_sampling_parameter_arrives(tog: together.Together, server: Any) -> None:
    tog.chat.completions.create(
        model="me/tiny:2",
        messages=ASK,
        max_tokens=2,
        temperature=0.5,
        top_p=0.9,
        top_k=40,
        min_p=0.05,
        repetition_penalty=1.1,
        presence_penalty=0.2,
        frequency_penalty=-0.3,
        logit_bias={"65": -100},
        seed=7,
        stop=["x"],
    )
    request = server.engine.streams[-1].request
    assert request.model == "me/tiny:2"
    sampling = request.sampling
    assert (sampling.temperature, sampling.top_p, sampling.top_k) == (0.5, 0.9, 40)
    assert (sampling.min_p, sampling.repetition_penalty) == (0.05, 1.1)
    assert (sampling.presence_penalty, sampling.frequency_penalty) == (0.2, -0.3)
    assert sampling.logit_bias == {65: -100}
    assert (sampling.seed, tuple(sampling.stop), sampling.max_tokens) == (7, ("x",), 2)


def test_unknown_and_idle_parameters_are_ignored(oai: openai.OpenAI) -> None:
    reply = oai.chat.completions.create(
        model="tiny",
        messages=ASK,
        max_tokens=4,
        user="me",
        store=False,
        metadata={"a": "b"},
        tools=[],
        response_format={"type": "text"},
        extra_body={"made_up": 1},
    )
    assert reply.choices[0].message.content == spoken(4)


# -- log-probabilities ----------------------------------------------------------------------------


def test_openai_logprobs_are_objects(oai: openai.OpenAI) -> None:
    ask: dict[str, Any] = {
        "model": "tiny",
        "messages": ASK,
        "max_tokens": 4,
        "logprobs": True,
        "top_logprobs": 2,
    }
    content = oai.chat.completions.create(**ask).choices[0].logprobs.content
    assert [t.token for t in content] == ["G", "r", "\ufffd", "\ufffd"]
    assert [t.bytes for t in content] == [[71], [114], None, None]
    assert [t.logprob for t in content] == [-0.25] * 4
    assert [alternative.logprob for alternative in content[0].top_logprobs] == [-0.25, -9999.0]
    streamed = [
        token
        for chunk in oai.chat.completions.create(**ask, stream=True)
        if chunk.choices[0].logprobs
        for token in chunk.choices[0].logprobs.content
    ]
    assert streamed == content


def test_together_logprobs_are_lists_and_in_a_stream_a_number(tog: together.Together) -> None:
    ask: dict[str, Any] = {"model": "tiny", "messages": ASK, "max_tokens": 4, "logprobs": 1}
    logprobs = tog.chat.completions.create(**ask).choices[0].logprobs
    assert logprobs.tokens == ["G", "r", "\ufffd", "\ufffd"]
    assert logprobs.token_ids == list("Grü".encode())
    assert logprobs.token_logprobs == [-0.25] * 4
    assert logprobs.top_logprobs[0] == {"G": -0.25}
    chunks = list(tog.chat.completions.create(**ask, stream=True))
    assert [c.choices[0].logprobs for c in chunks] == [-0.25] * 4 + [None]


# -- completions ----------------------------------------------------------------------------------


def test_openai_completions_of_several_prompts(oai: openai.OpenAI) -> None:
    reply = oai.completions.create(
        model="tiny", prompt=["one", "three"], n=2, seed=0, max_tokens=8, echo=True
    )
    assert [c.index for c in reply.choices] == [0, 1, 2, 3]
    continued = [spoken(8), spoken(8, start=1)] * 2
    prompts = ["one", "one", "three", "three"]
    assert [c.text for c in reply.choices] == [
        p + c for p, c in zip(prompts, continued, strict=True)
    ]
    assert reply.usage.prompt_tokens == len("one") + len("three")
    assert reply.usage.completion_tokens == 32


@pytest.mark.parametrize("prompt", ["Hi", [72, 105], ["Hi"], [[72, 105]]])
def test_a_prompt_is_text_or_tokens_alone_or_in_a_list(
    prompt: Any, oai: openai.OpenAI, server: Any
) -> None:
    reply = oai.completions.create(model="tiny", prompt=prompt, max_tokens=1, echo=True)
    assert list(server.engine.streams[-1].request.prompt) == [72, 105]
    assert reply.choices[0].text == "HiG"


def test_completion_logprobs_count_offsets_over_the_whole_answer(loose: openai.OpenAI) -> None:
    ask: dict[str, Any] = {"model": "tiny", "prompt": "Hi", "max_tokens": 5, "logprobs": 1}
    logprobs = loose.completions.create(**ask).choices[0].logprobs
    assert logprobs.tokens == ["G", "r", "\ufffd", "\ufffd", "\ufffd"]
    assert logprobs.text_offset == [0, 1, 2, 3, 4]
    streamed = [c.choices[0].logprobs for c in loose.completions.create(**ask, stream=True)]
    assert [offset for part in streamed for offset in part.text_offset] == [0, 1, 2, 3, 4]


def test_openai_completion_stream(loose: openai.OpenAI) -> None:
    chunks = list(
        loose.completions.create(
            model="tiny",
            prompt="Hi",
            max_tokens=9,
            echo=True,
            stream=True,
            stream_options={"include_usage": True},
        )
    )
    assert "".join(c.choices[0].text for c in chunks[:-1]) == "Hi" + spoken(9)
    assert chunks[-1].choices == []
    assert chunks[-1].usage.completion_tokens == 9


def test_together_completions(tog: together.Together) -> None:
    reply = tog.completions.create(model="tiny", prompt="Hi", max_tokens=9, logprobs=0)
    assert reply.choices[0].text == spoken(9)
    assert math.isclose(sum(reply.choices[0].logprobs.token_logprobs), -0.25 * 9)
    chunks = list(tog.completions.create(model="tiny", prompt="Hi", max_tokens=2, stream=True))
    assert [c.choices[0].text for c in chunks] == ["G", "r", ""]
    assert [c.token.id for c in chunks if c.token] == list(b"Gr")
    assert chunks[-1].usage.completion_tokens == 2


# -- async ----------------------------------------------------------------------------------------


def test_sixteen_async_callers_of_each_client_at_once(server: Any) -> None:
    async def ask_openai(client: openai.AsyncOpenAI, seed: int) -> str:
        stream = await client.chat.completions.create(
            model="tiny", messages=ASK, max_tokens=40, seed=seed, stream=True
        )
        return "".join([c.choices[0].delta.content async for c in stream])

    async def ask_together(client: together.AsyncTogether, seed: int) -> str:
        reply = await client.chat.completions.create(
            model="tiny", messages=ASK, max_tokens=40, seed=seed
        )
        return reply.choices[0].message.content

    async def main() -> list[str]:
        async with (
            openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key=server.key) as first,
            together.AsyncTogether(base_url=server.url, api_key=server.key) as second,
        ):
            jobs = [ask_openai(first, seed) for seed in range(16)]
            jobs += [ask_together(second, seed) for seed in range(16)]
            return await asyncio.gather(*jobs)

    assert asyncio.run(main()) == [spoken(40, start=seed) for seed in range(16)] * 2


# -- errors ---------------------------------------------------------------------------------------


def test_errors_reach_the_clients_as_their_own(oai: openai.OpenAI, tog: together.Together) -> None:
    ask: dict[str, Any] = {"model": "tiny", "messages": ASK}
    with pytest.raises(openai.BadRequestError) as bad:
        oai.chat.completions.create(**ask, temperature=9)
    assert bad.value.param == "temperature"
    assert bad.value.request_id
    with pytest.raises(openai.BadRequestError) as long:
        oai.completions.create(model="tiny", prompt="x" * 3000)
    assert long.value.code == "context_length_exceeded"
    with pytest.raises(openai.NotFoundError) as missing:
        oai.chat.completions.create(model="nobody", messages=ASK)
    assert (missing.value.code, missing.value.param) == ("model_not_found", "model")
    with pytest.raises(openai.AuthenticationError) as denied:
        oai.with_options(api_key="oh-wrong").models.list()
    assert denied.value.code == "invalid_api_key"
    with pytest.raises(together.BadRequestError, match="safety_model is not supported"):
        tog.chat.completions.create(**ask, safety_model="guard")
    with pytest.raises(openai.BadRequestError) as unusable:
        oai.completions.create(model="me/tiny:2", prompt="damaged")
    assert (unusable.value.code, unusable.value.param) == ("adapter_unusable", "model")


@pytest.mark.parametrize(
    ("model", "says"), [("breaks", "The disk failed."), ("bug", "The server failed")]
)
def test_a_failure_in_the_middle_of_a_stream_is_raised_by_both_clients(
    model: str, says: str, oai: openai.OpenAI, tog: together.Together
) -> None:
    for client, error in ((oai, openai.APIError), (tog, together.APIError)):
        stream = client.chat.completions.create(model=model, messages=ASK, stream=True)
        with pytest.raises(error, match=says) as caught:
            list(stream)
        assert "secret" not in str(caught.value)


def test_a_full_queue_is_tried_again_later(server: Any, oai: openai.OpenAI) -> None:
    server.engine.room = 2
    with pytest.raises(openai.InternalServerError) as busy:
        oai.chat.completions.create(model="tiny", messages=ASK, n=3)
    assert busy.value.status_code == 503
    assert busy.value.response.headers["retry-after"] == "1"
    assert busy.value.code == "server_overloaded"
    # Those that had found room do not run on without their reader.
    assert [stream.cancelled for stream in server.engine.streams] == [True, True]


def test_the_engine_knows_whose_request_it_is(oai: openai.OpenAI, server: Any) -> None:
    oai.chat.completions.create(model="tiny", messages=ASK, max_tokens=3)
    oai.completions.create(model="tiny", prompt="one", max_tokens=3)
    assert [stream.request.tenant for stream in server.engine.streams[-2:]] == ["local", "local"]
