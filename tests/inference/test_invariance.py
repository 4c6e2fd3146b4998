"""A request's answer does not depend on company, cache, chunks or preemption; and nothing leaks."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from openhearth.errors import UsageError
from openhearth.inference import Answer, Engine, EngineBusy, Request, Sampling, Stream, lane
from openhearth.inference.lane import Lane
from openhearth.inference.native import _engine
from openhearth.store import Store

NO_END = {2: -100, 4: -100}  # the tokens that end an answer
NAMES = ("tiny", "tiny-adapter")
# Bytes of 32 tokens in fp32: keys and values, 2 layers, 2 heads of 8 numbers, natively of 32.
PAGE = {"torch": 8192, "native": 32768}


@pytest.fixture(scope="module", params=list(PAGE))
def kind(request: pytest.FixtureRequest) -> str:
    """An executor."""
    if request.param == "native" and _engine is None:
        pytest.skip("the extension was not built")
    return str(request.param)


def opened(home: Path, kind: str, pages: int, **settings: object) -> Engine:
    memory = pages * PAGE[kind]
    chosen = {"executor": kind, "dtype": "float32", "kv_memory": memory} | settings
    return Engine(*NAMES, store=Store(home), **chosen)


def lane_of(engine: Engine) -> Lane:
    return engine._served["tiny"].lane


def read(stream: Stream) -> Answer:
    answer = Answer()
    for delta in stream:
        answer.add(delta)
    return answer


def requests() -> Iterator[Request]:
    """32 of them, many of which begin alike."""
    chance = random.Random(5)
    shared = [chance.randrange(5, 300) for _ in range(100)]
    for i in range(32):
        own = [chance.randrange(5, 300) for _ in range(chance.randrange(1, 90))]
        prompt = shared[: chance.randrange(0, 100)] + own
        sampling = Sampling(max_tokens=60, temperature=0, logit_bias=NO_END)
        yield Request(NAMES[i % 2], prompt, sampling, priority=chance.randrange(3))


@pytest.fixture(scope="module")
def alone(tiny_model_home: Path, kind: str) -> list[list[int]]:
    """What each answers when nobody was there before or is beside it."""
    answers = []
    for request in requests():
        with opened(tiny_model_home, kind, 64) as engine:
            answers.append(read(engine.submit(request)).tokens)
    return answers


def together(engine: Engine) -> list[Answer]:
    return [read(stream) for stream in [engine.submit(request) for request in requests()]]


def test_in_company_with_cache_hits(
    tiny_model_home: Path, kind: str, alone: list[list[int]]
) -> None:
    with opened(tiny_model_home, kind, 512) as engine:
        for _ in range(2):
            answers = together(engine)
            assert [answer.tokens for answer in answers] == alone
        cached = sum(answer.usage.cached_tokens for answer in answers if answer.usage)
        assert cached > 0.5 * sum(len(request.prompt) for request in requests())


@pytest.mark.parametrize("budget", [5, 33])
def test_in_chunks(
    tiny_model_home: Path,
    kind: str,
    alone: list[list[int]],
    budget: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lane, "STEP_TOKENS", budget)
    with opened(tiny_model_home, kind, 512, most_running=4) as engine:
        assert [answer.tokens for answer in together(engine)] == alone


def test_preempted(tiny_model_home: Path, kind: str, alone: list[list[int]]) -> None:
    with opened(tiny_model_home, kind, 9) as engine:
        assert [answer.tokens for answer in together(engine)] == alone
        assert lane_of(engine)._scheduler.preemptions > 0


def test_a_soak_leaves_nothing_behind(tiny_model_home: Path, kind: str) -> None:
    """Random lengths, priorities, tenants, deadlines, cancels and readers that left."""
    chance = random.Random(1)
    ends: dict[str | None, int] = {}
    with opened(tiny_model_home, kind, 24, most_running=12) as engine:
        actions: list[Callable[[], None]] = []
        for _ in range(2000):
            stream = _submit(engine, chance)
            if stream is None:
                ends["refused"] = ends.get("refused", 0) + 1
            elif chance.random() < 0.2:
                stream.cancel()
            else:
                actions.append(lambda stream=stream: _follow(stream, chance, ends))
            while len(actions) > chance.randrange(40):
                actions.pop(chance.randrange(len(actions)))()
        for action in actions:
            action()
        cache = lane_of(engine)._cache
        assert lane_of(engine)._executor.pages == cache.count == 24
        assert engine.generate([9], max_tokens=2).usage  # all before it have ended
        engine._loop.call(lambda: None)
        assert lane_of(engine).idle
        assert cache.available == cache.count
        assert lane_of(engine)._scheduler.preemptions > 0
    assert {"length", "left", "late", "refused"} <= set(ends)


def _submit(engine: Engine, chance: random.Random) -> Stream | None:
    prompt = [*range(5, 5 + chance.randrange(120)), *chance.choices(range(5, 300), k=5)]
    asked = Request(
        chance.choice(NAMES),
        prompt if chance.random() > 0.02 else [*prompt, 10**6],
        Sampling(max_tokens=chance.randrange(1, 40), logit_bias=NO_END),
        priority=chance.randrange(3),
        tenant=chance.choice("abc"),
        deadline=chance.choice([None, None, 0.0]),
    )
    try:
        return engine.submit(asked)
    except (EngineBusy, UsageError):
        return None


def _follow(stream: Stream, chance: random.Random, ends: dict[str | None, int]) -> None:
    """Read an answer to its end, or leave in the middle."""
    leaves = chance.random() < 0.2
    end: str | None = None
    try:
        for delta in stream:
            end = delta.finish_reason
            if leaves:
                stream.cancel()
                end = "left"
                break
    except EngineBusy:
        end = "late"
    ends[end] = ends.get(end, 0) + 1
