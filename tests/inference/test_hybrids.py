"""Models with recurrent states in the engine: answers are the same from any snapshot, in any
company, and with hardly a slot.
"""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from openhearth.inference import Answer, Engine, EngineBusy, Request, Sampling, lane
from openhearth.inference.native import _engine
from openhearth.models import Piece, Ragged, load_model
from openhearth.store import Store
from tests.inference.hybrids import MIXERS, write_home

EXECUTORS = ["torch", *(["native"] if _engine else [])]
NO_END = {2: -100, 4: -100}  # the tokens that end an answer


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_home(tmp_path_factory.mktemp("hybrids"))


def opened(home: Path, name: str, executor: str, memory: int = 2**22, **settings: object) -> Engine:
    chosen = {"executor": executor, "dtype": "float32", "kv_memory": memory} | settings
    return Engine(name, store=Store(home), **chosen)


def prompt(seed: int, length: int) -> list[int]:
    return np.random.default_rng(seed).integers(5, 300, length).tolist()


def request(tokens: list[int], answer: int, seed: int = 0) -> Request:
    chance = random.Random(seed)
    sampling = Sampling(
        max_tokens=answer, temperature=chance.choice([0, 0.8]), seed=seed, logit_bias=NO_END
    )
    return Request("", tokens, sampling, chance.randrange(3))


def answers(engine: Engine, asked: list[Request]) -> list[Answer]:
    """All of them together."""
    found = []
    name = next(iter(engine._served))
    for stream in [engine.submit(replace(one, model=name)) for one in asked]:
        answer = Answer()
        for delta in stream:
            answer.add(delta)
        found.append(answer)
    return found


def ask(engine: Engine, tokens: list[int], answer: int = 20) -> Answer:
    return answers(engine, [request(tokens, answer)])[0]


def conversations() -> list[Request]:
    """16 of them, many of which begin alike."""
    chance, made = random.Random(3), []
    for i in range(16):
        own = prompt(100 + i, chance.randrange(1, 50))
        made.append(request(prompt(2, 120)[: chance.randrange(120)] + own, 40, seed=i))
    return made


@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.parametrize("name", MIXERS)
def test_logits_are_those_of_the_model(home: Path, name: str, executor: str) -> None:
    ids = prompt(1, 90)
    model = load_model(Store(home).get(name), "float32")
    with torch.inference_mode():
        expected = model.logits(model(torch.tensor(ids), Ragged([Piece(len(ids))])))
    with opened(home, name, executor) as engine:
        np.testing.assert_allclose(engine.logits(ids), expected.numpy(), rtol=0, atol=2e-3)


@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.parametrize("name", MIXERS)
def test_what_can_be_gone_on_from(home: Path, name: str, executor: str) -> None:
    """The last full block of a prompt, where two parted, and what was answered."""
    begin, one, other = prompt(1, 70), prompt(2, 30), prompt(3, 30)
    with opened(home, name, executor) as engine:
        first = ask(engine, begin + one)
        again = ask(engine, begin + one)
        parted = ask(engine, begin + other)
        third = ask(engine, begin + prompt(4, 30))
        longer = ask(engine, begin + one + first.tokens + [9])
    assert again.tokens == first.tokens
    cached = [a.usage.cached_tokens for a in (first, again, parted, third, longer)]
    assert cached == [0, 96, 0, 64, 96]
    with opened(home, name, executor) as engine:
        answered = ask(engine, begin + one, answer=100)
        turn = ask(engine, begin + one + answered.tokens + [9])
        assert turn.usage.cached_tokens == 192
    with opened(home, name, executor) as engine:
        assert ask(engine, begin + one + answered.tokens + [9]).tokens == turn.tokens


@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.parametrize("name", MIXERS)
def test_preempted_and_short_of_slots(
    home: Path, name: str, executor: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = conversations()
    with opened(home, name, executor) as engine:
        expected = [answers(engine, [one])[0].tokens for one in asked]
    monkeypatch.setattr("openhearth.inference.executor.MOST_SLOTS", 3)
    with opened(home, name, executor) as engine:
        assert [a.tokens for a in answers(engine, asked)] == expected
        assert [a.tokens for a in answers(engine, asked)] == expected
        lane = engine._served[name].lane
        assert lane._scheduler.preemptions > 0
        assert lane._cache.available == lane._cache.count
        assert lane._cache._snapshots.available == 3


@pytest.mark.skipif(_engine is None, reason="the extension was not built")
@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.sampled_from(list(MIXERS)),
    budget=st.integers(3, 200),
    slots=st.integers(1, 20),
    running=st.integers(1, 16),
    order=st.permutations(range(16)),
    left=st.sets(st.integers(0, 15)),
)
def test_in_any_company_chunks_and_memory(
    home: Path, name: str, budget: int, slots: int, running: int, order: list[int], left: set[int]
) -> None:
    """Steps of any budget, with neighbours that leave, in any order, with hardly any slots."""
    asked = conversations()
    if name not in ALONE:
        ALONE[name] = []
        for one in asked:
            with opened(home, name, "native", threads=1) as engine:
                ALONE[name].append(answers(engine, [one])[0].tokens)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lane, "STEP_TOKENS", budget)
        patch.setattr("openhearth.inference.executor.MOST_SLOTS", slots)
        with opened(home, name, "native", most_running=running) as engine:
            for i in left:
                stream = engine.submit(replace(asked[i], model=name))
                next(stream)
                stream.cancel()
            found = answers(engine, [asked[i] for i in order])
            assert [a.tokens for a in found] == [ALONE[name][i] for i in order]


ALONE: dict[str, list[list[int]]] = {}


@pytest.mark.parametrize("executor", EXECUTORS)
def test_a_failed_step_is_computed_again_from_the_beginning(
    home: Path, executor: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A state that a step has changed before it failed must not be gone on from."""
    asked = conversations()[:4]
    with opened(home, "hybrid", executor) as engine:
        expected = [a.tokens for a in answers(engine, asked)]
    with opened(home, "hybrid", executor) as engine:
        served = engine._served["hybrid"].lane
        step, calls = served._executor.step, []

        def fails_after_it_has_computed(works: object) -> np.ndarray:
            found = step(works)
            calls.append(len(works))
            if len(calls) == 30 and len(works) > 1:
                raise RuntimeError("broken")
            return found

        monkeypatch.setattr(served._executor, "step", fails_after_it_has_computed)
        assert [a.tokens for a in answers(engine, asked)] == expected
        assert calls[29] > 1


def test_without_a_slot_logits_must_wait(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("openhearth.inference.executor.MOST_SLOTS", 1)
    with opened(home, "constant", "torch") as engine:
        stream = engine.submit(replace(request(prompt(1, 5), 400), model="constant"))
        next(stream)
        with pytest.raises(EngineBusy, match="ask again"):
            engine.logits([1, 2, 3])
        stream.cancel()


def test_memory_for_not_even_one_state(home: Path) -> None:
    from openhearth.errors import UsageError

    with pytest.raises(UsageError, match="the state of a sequence takes"):
        opened(home, "constant", "torch", memory=1000)
