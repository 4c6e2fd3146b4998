"""The engine on a small random model: correct together as alone, adapters, ends, errors."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from openhearth.errors import NotFound, UsageError
from openhearth.inference import (
    ContextTooLong,
    Delta,
    Engine,
    EngineBusy,
    Request,
    Sampling,
    lane,
)
from openhearth.models import Piece, Ragged, load_adapter, load_model
from openhearth.store import Store

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
    sampling = Sampling(max_tokens=8, temperature=0, logit_bias={4: -100})  # 4 ends a turn
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
    sampling = Sampling(max_tokens=5, temperature=0, logit_bias={4: -100})
    *_, last = engine.submit(Request("tiny", PROMPTS[0], sampling))
    assert last.finish_reason == "length"
    assert last.usage is not None
    assert (last.usage.prompt_tokens, last.usage.completion_tokens) == (len(PROMPTS[0]), 5)
    *_, ended = engine.submit(Request("tiny", PROMPTS[0], Sampling(logit_bias={4: 100})))
    assert (ended.finish_reason, ended.tokens, ended.text) == ("stop", (), "")


def test_a_stop_string_ends_the_answer_before_it(engine: Engine) -> None:
    sampling = Sampling(max_tokens=40, temperature=0.9, seed=3, logit_bias={4: -100})
    text = "".join(d.text for d in engine.submit(Request("tiny", PROMPTS[0], sampling)))
    stop = text[10:13]
    stopped = Sampling(max_tokens=40, temperature=0.9, seed=3, logit_bias={4: -100}, stop=[stop])
    deltas = list(engine.submit(Request("tiny", PROMPTS[0], stopped)))
    assert "".join(d.text for d in deltas) == text[: text.index(stop)]
    assert deltas[-1].finish_reason == "stop"


def test_log_probabilities_are_those_of_the_model(engine: Engine, tiny_model_home: Path) -> None:
    sampling = Sampling(max_tokens=1, temperature=2.0, seed=5, logprobs=3, logit_bias={4: -100})
    (delta,) = engine.submit(Request("tiny", PROMPTS[1], sampling))
    model = load_model(Store(tiny_model_home).get("tiny"), "float32")
    with torch.inference_mode():
        hidden = model(torch.tensor(PROMPTS[1]), Ragged([Piece(len(PROMPTS[1]))]))
        expected = model.logits(hidden[-1:])[0].log_softmax(-1)
    (described,) = delta.logprobs
    assert described.logprob == pytest.approx(expected[described.id].item(), abs=1e-4)
    assert [i for i, _, _ in described.top] == expected.topk(3).indices.tolist()


def test_cancelling_ends_a_running_and_a_waiting_request(engine: Engine) -> None:
    endless = Sampling(max_tokens=400, logit_bias={4: -100})
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
    with pytest.raises(ContextTooLong, match="holds 512"):
        engine.submit(Request("tiny", [5] * 500, Sampling(max_tokens=13)))


def test_a_full_queue_and_a_closed_engine_are_busy(
    tiny_model_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lane, "MOST_WAITING", 2)
    engine = Engine.open(Store(tiny_model_home), ["tiny"], most_running=1)
    endless = Request("tiny", [20, 21], Sampling(max_tokens=400, logit_bias={4: -100}))
    streams = [engine.submit(endless)]
    next(streams[0])  # it runs now, in the only place
    streams += [engine.submit(endless), engine.submit(endless)]
    with pytest.raises(EngineBusy, match="waiting already"):
        engine.submit(endless)
    engine.close()
    assert {list(stream)[-1].finish_reason for stream in streams} == {"cancelled"}
    with pytest.raises(EngineBusy, match="closing"):
        engine.submit(endless)


def test_a_failing_step_ends_its_requests_and_not_the_engine(
    tiny_model_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from openhearth.inference.torch_executor import TorchExecutor

    step, failures = TorchExecutor.step, iter([True])

    def fail_once(self: TorchExecutor, works: list) -> torch.Tensor:
        if next(failures, False):
            raise RuntimeError("out of memory")
        return step(self, works)

    monkeypatch.setattr(TorchExecutor, "step", fail_once)
    request = Request("tiny", [20, 21], Sampling(max_tokens=3, temperature=0))
    with Engine.open(Store(tiny_model_home), ["tiny"]) as engine:
        with pytest.raises(Exception, match="out of memory"):
            list(engine.submit(request))
        assert list(engine.submit(request))[-1].finish_reason in ("length", "stop")


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
