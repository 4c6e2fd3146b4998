"""The unmodified official clients against a real `hearth serve` with a real engine."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import openai
import pytest
import together

pytestmark = pytest.mark.system

# Greedy, so that the same question has the same answer however it is asked.
ASK: dict[str, Any] = {
    "model": "tiny",
    "messages": [{"role": "user", "content": "Say something about fire."}],
    "max_tokens": 24,
    "temperature": 0,
}


@pytest.fixture
def tog(server: Any) -> Iterator[together.Together]:
    with together.Together(base_url=server.url, api_key=server.key, max_retries=0) as client:
        yield client


@pytest.fixture
def answer(oai: openai.OpenAI) -> Any:
    return oai.chat.completions.create(**ASK)


def test_the_base_and_its_adapter_are_listed(oai: openai.OpenAI) -> None:
    models = {model.id: model for model in oai.models.list()}
    assert set(models) == {"tiny", "tiny-adapter"}
    extra = oai.models.retrieve("tiny-adapter").model_extra
    assert extra
    assert extra["base"] == "tiny"


def test_every_way_of_asking_gives_the_same_answer(
    oai: openai.OpenAI, tog: together.Together, answer: Any
) -> None:
    text = answer.choices[0].message.content
    pieces = [c.choices[0].delta.content for c in oai.chat.completions.create(**ASK, stream=True)]
    assert "".join(pieces) == text
    assert tog.chat.completions.create(**ASK).choices[0].message.content == text
    pieces = [c.choices[0].delta.content for c in tog.chat.completions.create(**ASK, stream=True)]
    assert "".join(pieces) == text


def test_usage_is_the_same_streaming_or_not(oai: openai.OpenAI, answer: Any) -> None:
    assert 0 < answer.usage.completion_tokens <= 24
    assert answer.usage.prompt_tokens > 0
    *_, last = oai.chat.completions.create(
        **ASK, stream=True, stream_options={"include_usage": True}
    )
    assert last.usage.completion_tokens == answer.usage.completion_tokens
    assert last.usage.prompt_tokens == answer.usage.prompt_tokens


def test_sixteen_async_callers_get_what_one_gets(server: Any, answer: Any) -> None:
    text = answer.choices[0].message.content

    async def main() -> list[str]:
        async with (
            openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key=server.key) as first,
            together.AsyncTogether(base_url=server.url, api_key=server.key) as second,
        ):

            async def streamed(client: Any) -> str:
                stream = await client.chat.completions.create(**ASK, stream=True)
                return "".join([c.choices[0].delta.content async for c in stream])

            async def whole(client: Any) -> str:
                reply = await client.chat.completions.create(**ASK)
                return reply.choices[0].message.content

            jobs = [ask(client) for ask in (streamed, whole) for client in (first, second) * 4]
            return await asyncio.gather(*jobs)

    assert asyncio.run(main()) == [text] * 16


def test_the_adapter_answers_beside_its_base(oai: openai.OpenAI, answer: Any) -> None:
    adapted = oai.chat.completions.create(**ASK | {"model": "tiny-adapter"})
    assert adapted.model == "tiny-adapter"
    assert adapted.usage.prompt_tokens == answer.usage.prompt_tokens
    assert adapted.choices[0].message.content != answer.choices[0].message.content


def test_a_seed_repeats_an_answer_and_choices_differ(oai: openai.OpenAI) -> None:
    ask = ASK | {"temperature": 1.0, "seed": 11, "n": 4}
    first, second = (oai.chat.completions.create(**ask) for _ in range(2))
    texts = [choice.message.content for choice in first.choices]
    assert texts == [choice.message.content for choice in second.choices]
    assert len(set(texts)) > 1
    assert [choice.index for choice in first.choices] == [0, 1, 2, 3]


def test_logprobs_in_both_forms(oai: openai.OpenAI, tog: together.Together) -> None:
    openai_form = oai.chat.completions.create(**ASK, logprobs=True, top_logprobs=3)
    content = openai_form.choices[0].logprobs.content
    assert len(content) == openai_form.usage.completion_tokens
    for token in content:
        # Greedy: the chosen token is the likeliest.
        assert token.logprob == token.top_logprobs[0].logprob <= 0
        assert len(token.top_logprobs) == 3
    together_form = tog.chat.completions.create(**ASK, logprobs=1)
    logprobs = together_form.choices[0].logprobs
    assert logprobs.tokens == [token.token for token in content]
    assert logprobs.token_logprobs == pytest.approx([token.logprob for token in content], abs=1e-4)


def test_a_stop_string_cuts_the_answer(oai: openai.OpenAI, answer: Any) -> None:
    text = answer.choices[0].message.content
    stop = text[len(text) // 2 :][:3]
    stopped = oai.chat.completions.create(**ASK, stop=stop).choices[0]
    assert stopped.message.content == text[: text.index(stop)]
    assert stopped.finish_reason == "stop"


def test_completions_continue_text_and_tokens(oai: openai.OpenAI, tog: together.Together) -> None:
    ask: dict[str, Any] = {"model": "tiny", "max_tokens": 12, "temperature": 0}
    first, second = oai.completions.create(prompt=["fire", "fire"], **ask).choices
    assert first.text == second.text
    assert tog.completions.create(prompt="fire", **ask).choices[0].text == first.text
    echoed = oai.completions.create(prompt="fire", echo=True, **ask)
    assert echoed.choices[0].text == "fire" + first.text


def test_errors_come_as_the_clients_own(oai: openai.OpenAI, tog: together.Together) -> None:
    with pytest.raises(openai.NotFoundError) as missing:
        oai.chat.completions.create(**ASK | {"model": "nobody"})
    assert missing.value.code == "model_not_found"
    with pytest.raises(openai.BadRequestError) as long:
        oai.completions.create(model="tiny", prompt="fire " * 50_000)
    assert long.value.code == "context_length_exceeded"
    with pytest.raises(openai.AuthenticationError) as denied:
        oai.with_options(api_key="oh-wrong").chat.completions.create(**ASK)
    assert denied.value.code == "invalid_api_key"
    with pytest.raises(together.BadRequestError):
        tog.chat.completions.create(**ASK | {"temperature": 5})
    with pytest.raises(openai.BadRequestError):
        oai.completions.create(model="tiny", prompt=[2**31 - 1], max_tokens=1)


def test_the_server_goes_on_after_callers_hang_up(oai: openai.OpenAI, answer: Any) -> None:
    for _ in range(8):
        stream = oai.chat.completions.create(**ASK | {"max_tokens": 200}, stream=True)
        next(iter(stream))
        stream.close()
    again = oai.chat.completions.create(**ASK)
    assert again.choices[0].message.content == answer.choices[0].message.content
