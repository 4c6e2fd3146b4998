"""The torch executor on a GPU: the same numbers as on a processor, captured or not."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from openhearth.inference import Answer, Engine, Request, Sampling, decoder, torch_executor
from openhearth.inference.torch_executor import TorchExecutor
from openhearth.models import base_of
from openhearth.store import Store
from tests.inference.test_decoder import (
    MIXERS,
    PAGE,
    PAGES,
    SLOTS,
    Streams,
    add_random_adapter,
    random_model,
)

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")

NO_END = {2: -100, 4: -100}  # the tokens that end an answer


@pytest.fixture(autouse=True)
def all_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)


def on(device: str, name: str, *, captures: bool) -> TorchExecutor:
    model = random_model(MIXERS[name])
    add_random_adapter(model, "mine")
    executor = TorchExecutor(model.to(device), PAGES, SLOTS, PAGE, captures=captures)
    executor.attach("mine", torch_executor.Adapter(model.adapter("mine")))
    return executor


@pytest.mark.parametrize("captures", [False, True])
@pytest.mark.parametrize("name", MIXERS)
def test_it_computes_what_a_processor_does(name: str, captures: bool) -> None:
    """In chunks of prompts, with adapters, and in steps of decoding, each shape many times."""
    streams = Streams(on("cpu", name, captures=False), on("cuda", name, captures=captures))
    for i in range(0, SLOTS, 2):
        streams.agree({i: streams.chance.randrange(2, 9), i + 1: 1}, tolerance=1e-3)
    for count in (1, 2, 3, 5, SLOTS, 1, 7, 4) * 2:
        streams.agree(streams.decode(count), tolerance=1e-3)
    streams.agree(streams.decode(3), adapter="mine", tolerance=1e-3)


def test_a_gpu_captures_unless_told(tiny_model_home: Path) -> None:
    model = random_model(MIXERS["hybrid"])
    assert TorchExecutor(model.to("cuda"), PAGES, SLOTS, PAGE)._decoder is not None
    base = base_of(Store(tiny_model_home).get("tiny"))
    loaded = TorchExecutor.load(base, memory=2**20)
    assert loaded._device.type == "cuda"
    assert loaded._model.dtype == torch.bfloat16 or not torch.cuda.is_bf16_supported(False)


def test_memory_does_not_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Though shapes come and go."""
    monkeypatch.setattr(decoder, "MOST_SHAPES", 2)
    streams = Streams(on("cuda", "hybrid", captures=True))
    used = []
    for _ in range(6):
        for count in (1, 2, 5, SLOTS):
            streams.step(streams.decode(count))
        torch.cuda.synchronize()
        used.append(torch.cuda.memory_reserved())
    assert len(streams.executors[0]._decoder._shapes) == 2
    assert used[-1] <= used[2]


@pytest.mark.parametrize("name", ["tiny", "tiny-adapter"])
def test_greedy_answers_are_those_of_a_processor(
    tiny_model_home: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sampling = Sampling(max_tokens=40, temperature=0, logit_bias=NO_END)

    def answers() -> list[list[int]]:
        settings = {"executor": "torch", "dtype": "float32", "kv_memory": 2**22}
        with Engine(name, store=Store(tiny_model_home), **settings) as engine:
            asked = [Request(name, [20 + i, 30, 40, 50], sampling) for i in range(16)]
            found = []
            for stream in [engine.submit(one) for one in asked]:
                answer = Answer()
                for delta in stream:
                    answer.add(delta)
                found.append(answer.tokens)
            return found

    there = answers()
    monkeypatch.setattr(torch_executor, "best_device", lambda: "cpu")
    assert there == answers()
