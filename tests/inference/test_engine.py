"""The engine on a small random model: correct together as alone, adapters, ends, errors."""

from __future__ import annotations

import asyncio
import gc
import re
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from openhearth.errors import HearthError, NotFound, UsageError
from openhearth.inference import (
    Answer,
    Constraint,
    ContextTooLong,
    DeadlinePassed,
    Delta,
    Engine,
    EngineBusy,
    Request,
    Sampling,
    Stream,
    lane,
)
from openhearth.inference.chooser import Chooser
from openhearth.inference.constraint import Compiler, Matcher
from openhearth.inference.text import TextStream
from openhearth.inference.torch_executor import TorchExecutor
from openhearth.models import (
    Piece,
    Ragged,
    load_adapter,
    load_model,
)
from openhearth.store import Store

NO_END = {2: -100, 4: -100}  # the tokens that end an answer
PROMPTS = [list(range(10 + i, 30 + 3 * i)) for i in range(24)]


@pytest.fixture(scope="module")
def engine(tiny_model_home: Path) -> Iterator[Engine]:
    with Engine.open(Store(tiny_model_home), ["tiny", "tiny-adapter"], dtype="float32") as engine:
        yield engine


def tokens(deltas: list[Delta]) -> list[int]:
    return [token for delta in deltas for token in delta.tokens]


def greedy(home: Path, name: str, prompt: list[int], count: int) -> list[int]:
    """What the model says, computed whole for every token, without any cache."""
    store = Store(home)
    model, adapter = load_model(store.get("tiny"), "float32"), None
    if name != "tiny":
        adapter = name
        load_adapter(model, store.get(name), name)
    ids = list(prompt)
    with torch.inference_mode():
        for _ in range(count):
            hidden = model(torch.tensor(ids), Ragged([Piece(len(ids), adapter=adapter)]))
            ids.append(int(model.logits(hidden[-1:]).argmax()))
    return ids[len(prompt) :]


@pytest.mark.parametrize("model", ["tiny", "tiny-adapter"])
def test_greedy_answers_are_those_of_the_whole_forward_pass(
    engine: Engine, tiny_model_home: Path, model: str
) -> None:
    expected = greedy(tiny_model_home, model, PROMPTS[3], 12)
    ends = engine.tokenizer(model).eos_ids
    expected = expected[: next((i for i, t in enumerate(expected) if t in ends), 12)]
    sampling = Sampling(max_tokens=12, temperature=0)
    assert tokens(list(engine.submit(Request(model, PROMPTS[3], sampling)))) == expected


def test_many_requests_together_answer_as_each_alone(engine: Engine) -> None:
    """With both models mixed in every batch."""
    requests = [
        Request(
            ("tiny", "tiny-adapter")[i % 2],
            prompt,
            Sampling(max_tokens=5 + i % 7, temperature=0.8, seed=i),
        )
        for i, prompt in enumerate(PROMPTS)
    ]
    together = [engine.submit(request) for request in requests]
    answers = [tokens(list(stream)) for stream in together]
    assert answers == [tokens(list(engine.submit(request))) for request in requests]
    assert len({tuple(answer) for answer in answers}) > len(answers) // 2


def test_the_adapter_changes_the_answer(engine: Engine) -> None:
    sampling = Sampling(max_tokens=8, temperature=0, logit_bias=NO_END)
    base, tuned = (
        tokens(list(engine.submit(Request(name, PROMPTS[0], sampling))))
        for name in ("tiny", "tiny-adapter")
    )
    assert base != tuned


def test_a_prompt_longer_than_a_step_is_computed_in_chunks(
    engine: Engine, tiny_model_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lane, "STEP_TOKENS", 16)
    with Engine.open(Store(tiny_model_home), ["tiny"], dtype="float32") as small_steps:
        request = Request("tiny", list(range(200)), Sampling(max_tokens=6, temperature=0))
        assert tokens(list(small_steps.submit(request))) == tokens(list(engine.submit(request)))


def test_the_last_delta_says_why_it_ended_and_counts_tokens(engine: Engine) -> None:
    sampling = Sampling(max_tokens=5, temperature=0, logit_bias=NO_END)
    *_, last = engine.submit(Request("tiny", PROMPTS[0], sampling))
    assert last.finish_reason == "length"
    assert last.usage is not None
    assert (last.usage.prompt_tokens, last.usage.completion_tokens) == (len(PROMPTS[0]), 5)
    *_, ended = engine.submit(Request("tiny", PROMPTS[0], Sampling(logit_bias={4: 100})))
    assert (ended.finish_reason, ended.tokens, ended.text) == ("stop", (), "")


def test_a_stop_string_ends_the_answer_before_it(engine: Engine) -> None:
    sampling = Sampling(max_tokens=40, temperature=0.9, seed=3, logit_bias=NO_END)
    text = "".join(d.text for d in engine.submit(Request("tiny", PROMPTS[0], sampling)))
    stop = text[10:13]
    stopped = Sampling(max_tokens=40, temperature=0.9, seed=3, logit_bias=NO_END, stop=[stop])
    deltas = list(engine.submit(Request("tiny", PROMPTS[0], stopped)))
    assert "".join(d.text for d in deltas) == text[: text.index(stop)]
    assert deltas[-1].finish_reason == "stop"


def test_log_probabilities_are_those_of_the_model(engine: Engine, tiny_model_home: Path) -> None:
    sampling = Sampling(max_tokens=1, temperature=2.0, seed=5, logprobs=3, logit_bias=NO_END)
    (delta,) = engine.submit(Request("tiny", PROMPTS[1], sampling))
    model = load_model(Store(tiny_model_home).get("tiny"), "float32")
    with torch.inference_mode():
        hidden = model(torch.tensor(PROMPTS[1]), Ragged([Piece(len(PROMPTS[1]))]))
        expected = model.logits(hidden[-1:])[0].log_softmax(-1)
    (described,) = delta.logprobs
    assert described.logprob == pytest.approx(expected[described.id].item(), abs=1e-4)
    assert [i for i, _, _ in described.top] == expected.topk(3).indices.tolist()


def test_every_token_of_the_vocabulary_can_have_its_log_probability(engine: Engine) -> None:
    answer = engine.generate(PROMPTS[1], max_tokens=1, logprobs=320, logit_bias=NO_END)
    (described,) = answer.logprobs
    assert sorted(token for token, _, _ in described.top) == [*range(320)]
    total = np.exp([logprob for _, _, logprob in described.top]).sum()
    assert total == pytest.approx(1, abs=1e-5)


def test_whole_numbers_of_numpy_are_tokens_too(engine: Engine) -> None:
    settings = {"max_tokens": 4, "temperature": 0}
    ids = list(np.array(PROMPTS[1]))
    assert engine.generate(ids, **settings).tokens == engine.generate(PROMPTS[1], **settings).tokens


def test_cancelling_ends_a_running_and_a_waiting_request(engine: Engine) -> None:
    endless = Sampling(max_tokens=400, logit_bias=NO_END)
    streams = [engine.submit(Request("tiny", [20, 21], endless)) for _ in range(20)]
    for stream in streams:
        stream.cancel()
        stream.cancel()
    ends = [list(stream)[-1] for stream in streams]
    assert {end.finish_reason for end in ends} == {"cancelled"}
    assert all(end.usage and end.usage.completion_tokens < 400 for end in ends)


def test_refused_requests_say_why(engine: Engine) -> None:
    with pytest.raises(NotFound, match="tiny, tiny-adapter"):
        engine.submit(Request("nobody", [1]))
    with pytest.raises(UsageError, match="empty"):
        engine.submit(Request("tiny", []))
    with pytest.raises(UsageError, match="outside the vocabulary"):
        engine.submit(Request("tiny", [10**6]))
    with pytest.raises(UsageError, match="outside the vocabulary"):
        engine.submit(Request("tiny", [1], Sampling(logit_bias={10**6: 1.0})))
    for wrong in ([1.5], ["1"], [None]):
        with pytest.raises(UsageError, match="no whole number"):
            engine.submit(Request("tiny", wrong))
    with pytest.raises(UsageError, match="no whole number"):
        engine.submit(Request("tiny", [1], Sampling(logit_bias={1.5: 1.0})))
    with pytest.raises(UsageError, match="has only 320 tokens"):
        engine.submit(Request("tiny", [1], Sampling(logprobs=321)))
    with pytest.raises(ContextTooLong, match="holds 512"):
        engine.submit(Request("tiny", [5] * 500, Sampling(max_tokens=13)))


def test_a_full_queue_and_a_closed_engine_are_busy(
    tiny_model_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lane, "MOST_WAITING", 2)
    engine = Engine.open(Store(tiny_model_home), ["tiny"], most_running=1)
    endless = Request("tiny", [20, 21], Sampling(max_tokens=400, logit_bias=NO_END))
    streams = [engine.submit(endless)]
    next(streams[0])  # it runs now, in the only place
    streams += [engine.submit(endless), engine.submit(endless)]
    with pytest.raises(EngineBusy, match="waiting already"):
        engine.submit(endless)
    engine.close()
    assert {list(stream)[-1].finish_reason for stream in streams} == {"cancelled"}
    with pytest.raises(EngineBusy, match="closing"):
        engine.submit(endless)
    with pytest.raises(EngineBusy, match="closing"):
        engine.logits([20])


def test_a_closed_engine_keeps_neither_weights_nor_threads(tiny_model_home: Path) -> None:
    pytest.importorskip("llguidance")
    with Engine("tiny", store=Store(tiny_model_home)) as engine:
        engine.generate([20], max_tokens=3, constraint=Constraint("regex", "[0-9]{3}"))
        executor = weakref.ref(engine._served["tiny"].lane._executor)
        assert executor()
    gc.collect()
    assert executor() is None
    assert not [t.name for t in threading.enumerate() if t.name.startswith("masks")]
    with pytest.raises(EngineBusy, match="closing"):
        engine.submit(Request("tiny", [20]))


def test_a_failing_step_ends_its_requests_and_not_the_engine(
    tiny_model_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step, failures = TorchExecutor.step, iter([True])

    def fail_once(self: TorchExecutor, works: list) -> np.ndarray:
        if next(failures, False):
            raise RuntimeError("out of memory")
        return step(self, works)

    monkeypatch.setattr(TorchExecutor, "step", fail_once)
    request = Request("tiny", [20, 21], Sampling(max_tokens=3, temperature=0))
    with Engine.open(Store(tiny_model_home), ["tiny"], executor="torch") as engine:
        with pytest.raises(HearthError, match="out of memory"):
            list(engine.submit(request))
        assert list(engine.submit(request))[-1].finish_reason in ("length", "stop")


def test_a_failing_request_ends_alone(
    tiny_model_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = TorchExecutor.step

    def fail_at_7(self: TorchExecutor, works: list) -> np.ndarray:
        if any(7 in work.tokens for work in works):
            raise RuntimeError("bad luck")
        return step(self, works)

    monkeypatch.setattr(TorchExecutor, "step", fail_at_7)
    sampling = Sampling(max_tokens=5, temperature=0, logit_bias=NO_END | {7: -100})
    with Engine("tiny", store=Store(tiny_model_home), executor="torch") as engine:
        good, bad = (engine.submit(Request("tiny", ids, sampling)) for ids in ([20, 21], [20, 7]))
        with pytest.raises(HearthError, match="bad luck"):
            list(bad)
        assert len(tokens(list(good))) == 5


@pytest.mark.parametrize("how", ["length", "cancelled", "closed"])
def test_one_whose_last_text_fails_ends_alone(
    tiny_model_home: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    finish = TextStream.finish

    def fail_after_7(self: TextStream) -> str:
        if 7 in self._ids:
            raise RuntimeError("no such character")
        return finish(self)

    async def end(stream: Stream) -> str | None:
        async with asyncio.timeout(60):  # rather than to wait for ever
            return [delta async for delta in stream][-1].finish_reason

    monkeypatch.setattr(TextStream, "finish", fail_after_7)
    few, many = (Sampling(max_tokens=n, logit_bias=NO_END | {7: -100}) for n in (3, 200))
    with Engine("tiny", store=Store(tiny_model_home), executor="torch") as engine:
        bad = engine.submit(Request("tiny", [20, 7], few if how == "length" else many))
        good = engine.submit(Request("tiny", [20, 21], many))
        next(good)
        if how == "cancelled":
            bad.cancel()
        elif how == "closed":
            engine.close()
        with pytest.raises(HearthError, match="no such character"):
            asyncio.run(end(bad))
        assert asyncio.run(end(good)) == ("cancelled" if how == "closed" else "length")


def test_logits_that_are_no_numbers_end_only_their_request(tiny_model_home: Path) -> None:
    settings = {"executor": "torch", "kv_memory": 2**17, "dtype": "float32"}
    sampling = Sampling(max_tokens=9, temperature=0, logit_bias=NO_END)
    with Engine("tiny", "tiny-adapter", store=Store(tiny_model_home), **settings) as engine:
        expected = tokens(list(engine.submit(Request("tiny", PROMPTS[9], sampling))))
        list(engine.submit(Request("tiny-adapter", PROMPTS[8], sampling)))
        executor = engine._served["tiny"].lane._executor
        assert isinstance(executor, TorchExecutor)
        for pair in executor._model.adapter("tiny-adapter").values():
            pair.a.fill_(torch.nan)
        for _ in range(3):  # pages that held no numbers come into other hands
            bad, good = (
                engine.submit(Request(name, PROMPTS[9], sampling))
                for name in ("tiny-adapter", "tiny")
            )
            with pytest.raises(HearthError, match="not numbers"):
                list(bad)
            assert tokens(list(good)) == expected


def test_a_request_beyond_the_memory_is_refused_alone(tiny_model_home: Path) -> None:
    page = 2 * 2 * 2 * 8 * 4 * 32  # bytes: keys and values, 2 layers, 2 heads of 8 numbers
    settings = {"dtype": "float32", "executor": "torch"}
    with Engine("tiny", store=Store(tiny_model_home), kv_memory=3 * page, **settings) as engine:
        assert [card.room for card in engine.models()] == [96]
        with pytest.raises(ContextTooLong, match="memory holds 96"):
            engine.submit(Request("tiny", [20] * 90, Sampling(max_tokens=8)))
        answer = engine.generate([20] * 90, max_tokens=7, temperature=0, logit_bias=NO_END)
        assert len(answer.tokens) == 7
    with pytest.raises(UsageError, match="takes 8,192"):
        Engine("tiny", store=Store(tiny_model_home), kv_memory=page - 1, **settings)


def test_what_cannot_start_in_time_says_so(tiny_model_home: Path) -> None:
    endless = Sampling(max_tokens=400, logit_bias=NO_END)
    with Engine("tiny", store=Store(tiny_model_home), most_running=1) as engine:
        first = engine.submit(Request("tiny", [20, 21], endless))
        next(first)
        late = engine.submit(Request("tiny", [22], endless, deadline=0.0))
        with pytest.raises(DeadlinePassed, match=r"deadline of 0\.0 s"):
            list(late)
        first.cancel()
        assert list(first)[-1].finish_reason == "cancelled"


def test_priority_and_deadline_can_be_given_with_a_prompt(tiny_model_home: Path) -> None:
    endless = {"max_tokens": 400, "logit_bias": NO_END}
    with Engine("tiny", store=Store(tiny_model_home), most_running=1) as engine:
        first = engine.stream([20, 21], priority=2, **endless)
        next(first)  # it runs now, in the only place
        later, sooner = (engine.stream([22], priority=p, **endless) for p in (0, 1))
        with pytest.raises(DeadlinePassed):
            engine.generate([22], deadline=0.0)
        with pytest.raises(DeadlinePassed):
            asyncio.run(engine.agenerate([22], deadline=0.0))
        first.cancel()
        assert next(sooner).tokens
        assert not later._deltas  # nothing came of it yet
        for stream in (later, sooner):
            stream.cancel()
        wrong: list[dict[str, Any]] = [{"priority": "high"}, {"deadline": -1}]
        for options in wrong:
            with pytest.raises(UsageError, match=rf"^{next(iter(options))} is"):
                engine.generate([22], **options)


@pytest.fixture
def submitted(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> list[Stream]:
    """The streams of all requests that come to the engine."""
    streams, submit = [], engine.submit

    def remembered(request: Request) -> Stream:
        streams.append(submit(request))
        return streams[-1]

    monkeypatch.setattr(engine, "submit", remembered)
    return streams


def test_cancelling_an_awaited_answer_cancels_the_request(
    engine: Engine, submitted: list[Stream]
) -> None:
    async def main() -> None:
        task = asyncio.create_task(engine.agenerate([20], max_tokens=400, logit_bias=NO_END))
        while not submitted:
            await asyncio.sleep(0)
        task.cancel()
        await task

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(main())
    assert list(submitted[0])[-1].finish_reason == "cancelled"


@pytest.mark.parametrize("cancel", [False, True])
def test_an_event_loop_goes_on_while_a_constraint_is_compiled(
    cancel: bool, engine: Engine, submitted: list[Stream], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was cancelled meanwhile is cancelled once it is compiled."""
    pytest.importorskip("llguidance")
    compiling, go_on, matcher = threading.Event(), threading.Event(), Compiler.matcher

    def slow(self: Compiler, constraint: Constraint) -> Matcher:
        compiling.set()
        assert go_on.wait(20), "the loop stands still"
        return matcher(self, constraint)

    async def main() -> Answer:
        form = Constraint("regex", "[0-9]{300}")
        task = asyncio.create_task(engine.agenerate([20], max_tokens=400, constraint=form))
        while not compiling.is_set():
            await asyncio.sleep(0)
        if cancel:
            task.cancel()
            await asyncio.sleep(0)
        go_on.set()
        return await task

    monkeypatch.setattr(Compiler, "matcher", slow)
    if not cancel:
        assert re.fullmatch("[0-9]{300}", asyncio.run(main()).text)
        return
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(main())
    while not submitted:
        threading.Event().wait(0.01)
    assert list(submitted[0])[-1].finish_reason == "cancelled"


def test_answers_say_what_was_cached_and_how_long_it_took(engine: Engine) -> None:
    prompt = [*range(100, 190)]
    first, second = (engine.generate(prompt, max_tokens=3, temperature=0) for _ in range(2))
    assert first.usage
    assert second.usage
    assert (first.usage.cached_tokens, second.usage.cached_tokens) == (0, 64)
    assert second.tokens == first.tokens
    assert second.timings
    assert 0 <= second.timings.queued <= second.timings.first_token <= second.timings.total


def test_prompts_are_text_tokens_or_messages(engine: Engine) -> None:
    settings = {"max_tokens": 4, "temperature": 0, "model": "tiny-adapter"}
    tokenizer = engine.tokenizer("tiny")
    messages = [{"role": "user", "content": "Sum"}]
    framed = tokenizer.chat(messages, add_generation_prompt=True)
    of_messages = engine.generate(messages, **settings)
    assert of_messages.tokens == engine.generate(framed, **settings).tokens
    assert of_messages.tokens == engine.generate(tokenizer.encode(framed), **settings).tokens
    assert asyncio.run(engine.agenerate(messages, **settings)).text == of_messages.text
    assert "".join(delta.text for delta in engine.stream(messages, **settings)) == of_messages.text


def test_logits_are_those_of_the_whole_forward_pass(engine: Engine, tiny_model_home: Path) -> None:
    ids = torch.arange(20, 20 + 200)
    model = load_model(Store(tiny_model_home).get("tiny"), "float32")
    with torch.inference_mode():
        expected = model.logits(model(ids, Ragged([Piece(len(ids))]))).numpy()
    np.testing.assert_allclose(engine.logits(ids.tolist()), expected, atol=1e-4)
    with pytest.raises(ContextTooLong):
        engine.logits([5] * 513)
    with pytest.raises(UsageError, match="outside"):
        engine.logits([-1])


def test_a_directory_is_served_without_being_in_the_store(
    tiny_directory: Path, tmp_path: Path, engine: Engine
) -> None:
    with Engine(tiny_directory, store=Store(tmp_path), dtype="float32") as other:
        assert [card.name for card in other.models()] == [str(tiny_directory)]
        answers = [e.generate([20, 21], max_tokens=5, temperature=0) for e in (engine, other)]
        assert answers[0].tokens == answers[1].tokens


def test_models_say_what_they_are(engine: Engine) -> None:
    base, adapter = engine.models()
    assert (base.name, base.base, base.context_length) == ("tiny", None, 512)
    assert (adapter.name, adapter.base) == ("tiny-adapter", "tiny")
    assert base.license == ("apache-2.0",)


def test_only_models_can_be_served(tiny_model_home: Path) -> None:
    store = Store(tiny_model_home)
    report = store.make("report", lambda draft: None)
    with pytest.raises(UsageError, match="neither a model nor an adapter"):
        Engine.open(store, [report.digest])
    with pytest.raises(NotFound):
        Engine.open(store, ["nobody"])


def test_constrained_answers_keep_their_form_beside_free_ones(engine: Engine) -> None:
    pytest.importorskip("llguidance")
    digits = Constraint("regex", "[0-9]{3}-[0-9]{2}")
    free = {"max_tokens": 30, "temperature": 0.8, "seed": 3}
    alone = engine.generate([20, 21], **free)
    beside = engine.stream([20, 21], **free)
    answers = [engine.stream([30 + i], constraint=digits, seed=i) for i in range(3)]
    for stream in answers:
        text = "".join(delta.text for delta in stream)
        assert re.fullmatch("[0-9]{3}-[0-9]{2}", text)
    assert [t for delta in beside for t in delta.tokens] == alone.tokens
    forced = Constraint("regex", "The quick brown fox jumps over [ab]")
    answer = engine.generate([20, 21], constraint=forced, seed=1, frequency_penalty=0.5)
    assert re.fullmatch(forced.value, answer.text)
    with pytest.raises(UsageError, match="regex constraint"):
        engine.generate([20], constraint=Constraint("regex", "[0-9"))


def test_drafts_save_steps_and_change_nothing(
    tiny_model_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("llguidance")
    form = Constraint("regex", "[ab]{4} jumps over the lazy dog [0-9]{6} or not(, and so on){3}")
    settings = {"constraint": form, "repetition_penalty": 1.1, "logprobs": 2, "logit_bias": NO_END}
    step, steps = TorchExecutor.step, []

    def counted(self: TorchExecutor, works: list) -> np.ndarray:
        steps.append(len(works))
        return step(self, works)

    monkeypatch.setattr(TorchExecutor, "step", counted)

    def answers() -> list[Answer]:
        steps.clear()
        store = Store(tiny_model_home)
        with Engine("tiny", store=store, executor="torch", dtype="float32") as engine:
            return [
                engine.generate([20, 21], max_tokens=limit, seed=limit, **settings)
                for limit in (3, 17, 40, 100)
            ]

    drafted, few = answers(), len(steps)
    monkeypatch.setattr(Chooser, "guess", lambda self, sequence: None)
    plain, many = answers(), len(steps)
    assert [a.tokens for a in drafted] == [a.tokens for a in plain]
    assert [a.text for a in drafted] == [a.text for a in plain]
    assert [a.finish_reason for a in drafted] == [a.finish_reason for a in plain]
    for one, other in zip(drafted, plain, strict=True):
        assert [t.logprob for t in one.logprobs] == pytest.approx(
            [t.logprob for t in other.logprobs], abs=1e-3
        )
    assert few < 0.8 * many
