"""What the native executor answers is the same, bit for bit, alone and in any company."""

from __future__ import annotations

import dataclasses
import json
import random
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from openhearth.inference import Answer, Constraint, Engine, Request, Sampling, lane
from openhearth.inference.native import _engine
from openhearth.store import Store

pytest.importorskip("llguidance")
if _engine is None:
    pytest.skip("the extension was not built", allow_module_level=True)

NAMES = ("tiny", "tiny-adapter")
PAGE = 2 * 2 * 2 * 32 * 2 * 32  # bytes: keys and values, layers, heads, numbers, fp16, tokens
FEWEST = 6  # pages that the longest needs
LOOSE = Constraint("regex", "[a-f]{4,40}(, [a-z]+){2,9}")
FORCED = Constraint("json_schema", json.dumps({"enum": ["The quick brown fox", "The lazy dog"]}))

Found = list[tuple[list[int], list, str | None]]  # tokens, log-probabilities, ends


def requests(names: Sequence[str] = NAMES) -> list[Request]:
    """32 of them, many of which begin alike: drawn and greedy, free and constrained."""
    chance = random.Random(5)
    shared = [chance.randrange(5, 300) for _ in range(100)]
    made = []
    for i in range(32):
        own = [chance.randrange(5, 300) for _ in range(chance.randrange(1, 50))]
        sampling = Sampling(
            max_tokens=chance.randrange(20, 40),
            temperature=chance.choice([0, 0.8]),
            top_p=chance.choice([1, 0.9]),
            frequency_penalty=chance.choice([0, 0.5]),
            seed=i,
            logprobs=2,
            constraint=chance.choice([None, None, LOOSE, FORCED]),
        )
        prompt = shared[: chance.randrange(100)] + own
        made.append(Request(names[i % len(names)], prompt, sampling, chance.randrange(3)))
    return made


def answers(engine: Engine, asked: Sequence[Request]) -> Found:
    """All of them together."""
    found = []
    for stream in [engine.submit(request) for request in asked]:
        answer = Answer()
        for delta in stream:
            answer.add(delta)
        found.append((answer.tokens, answer.logprobs, answer.finish_reason))
    return found


def opened(home: Path, pages: int, **chosen: object) -> Engine:
    defaults = {"executor": "native", "dtype": "int8", "kv_memory": pages * PAGE}
    return Engine(*NAMES, store=Store(home), **defaults | chosen)


def answers_alone(home: Path, asked: Sequence[Request]) -> Found:
    """Each by an engine that has seen nothing else, on one thread."""
    found = []
    for request in asked:
        with opened(home, 64, threads=1) as engine:
            found += answers(engine, [request])
    return found


@pytest.fixture(scope="module")
def alone(native_model_home: Path) -> Found:
    return answers_alone(native_model_home, requests())


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("kind", _engine.kinds())
def test_on_all_kernels_and_threads_with_cache_hits(
    kind: str,
    threads: int,
    native_model_home: Path,
    alone: Found,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENHEARTH_ISA", kind)
    with opened(native_model_home, 512, threads=threads) as engine:
        assert answers(engine, requests()) == alone
        assert answers(engine, requests()) == alone
        assert engine.generate(requests()[0].prompt, max_tokens=1).usage.cached_tokens


def test_preempted(native_model_home: Path, alone: Found) -> None:
    with opened(native_model_home, 9) as engine:
        assert answers(engine, requests()) == alone
        assert engine._served["tiny"].lane._scheduler.preemptions > 0


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    budget=st.integers(3, 200),
    pages=st.integers(FEWEST, 40),
    running=st.integers(1, 32),
    threads=st.integers(1, 3),
    order=st.permutations(range(32)),
    left=st.sets(st.integers(0, 31)),
    priorities=st.lists(st.integers(0, 3), min_size=32, max_size=32),
)
def test_in_any_company_chunks_and_memory(
    native_model_home: Path,
    alone: Found,
    budget: int,
    pages: int,
    running: int,
    threads: int,
    order: list[int],
    left: set[int],
    priorities: list[int],
) -> None:
    """Steps of any budget, with neighbours that leave, in any order, with hardly any memory."""
    asked = requests()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lane, "STEP_TOKENS", budget)
        with opened(native_model_home, pages, threads=threads, most_running=running) as engine:
            for i in left:
                stream = engine.submit(asked[i])
                next(stream)
                stream.cancel()
            mine = [dataclasses.replace(asked[i], priority=priorities[i]) for i in order]
            assert answers(engine, mine) == [alone[i] for i in order]


def test_of_the_real_model(tmp_path: Path) -> None:
    """SmolLM2 with the weights of its file, where 32 requests share little memory."""
    home, asked = tmp_path / "home", requests(["smollm2-135m"])
    page = 30 * 2 * 3 * 64 * 2 * 32  # bytes
    some = range(0, 32, 8)

    def model(pages: int, **chosen: object) -> Engine:
        return Engine("smollm2-135m", store=Store(home), kv_memory=pages * page, **chosen)

    expected: Found = []
    for i in some:
        with model(64, threads=1) as engine:
            expected += answers(engine, [asked[i]])
    with model(24) as engine:
        for _ in range(2):
            found = answers(engine, asked)
            assert [found[i] for i in some] == expected
        assert engine._served["smollm2-135m"].lane._scheduler.preemptions > 0
