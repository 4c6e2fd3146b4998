"""With kernels in fp32 greedy answers are those of the reference executor.

Both sum in their own order, so where two tokens are as likely but for rounding, either may come:
an answer may leave the reference's where its token has a logit within TIE of the best, and only
there. With `OPENHEARTH_GREEDY_PROMPTS=200` as many prompts are asked of the real model.
"""

from __future__ import annotations

import importlib.metadata
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from openhearth.inference import Answer, Engine
from openhearth.inference.native import _engine
from openhearth.store import Store

if _engine is None:
    pytest.skip("the extension was not built", allow_module_level=True)

PROMPTS = int(os.environ.get("OPENHEARTH_GREEDY_PROMPTS", "4"))
TOKENS = 32
TIE = 1e-4
SHORTEST = 8  # tokens


def prompts(engine: Engine, count: int) -> Iterator[list[int]]:
    """From what packages say of themselves, all of different lengths."""
    packages = importlib.metadata.distributions()
    texts = sorted({package.read_text("METADATA") or "" for package in packages})
    tokens = engine.tokenizer(engine.models()[0].name).encode("\n".join(texts))
    apart = len(tokens) // count
    for i in range(count):
        yield tokens[i * apart : i * apart + SHORTEST + i]


def greedy(engine: Engine, model: str, asked: Sequence[list[int]]) -> list[list[int]]:
    """The tokens of every answer, with what ended it."""
    settings = {"model": model, "max_tokens": TOKENS, "temperature": 0, "logprobs": 0}
    streams = [engine.stream(prompt, **settings) for prompt in asked]
    found = []
    for stream in streams:
        answer = Answer()
        for delta in stream:
            answer.add(delta)
        ended = answer.finish_reason == "stop"
        found.append([*answer.tokens, *[engine.tokenizer(model).end_of_turn] * ended])
    return found


def check(ours: Engine, reference: Engine, model: str, count: int) -> None:
    """Every answer is the same, or parts at a tie."""
    asked = list(prompts(ours, count))
    mine, meant = greedy(ours, model, asked), greedy(reference, model, asked)
    ties = []
    for prompt, found, expected in zip(asked, mine, meant, strict=True):
        if found == expected:
            continue
        same = next(i for i in range(TOKENS) if found[i : i + 1] != expected[i : i + 1])
        logits = reference.logits([*prompt, *expected[:same]], model=model)[-1]
        ties.append(float(logits.max() - logits[found[same]]))
        assert ties[-1] <= TIE, (len(prompt), same, found[same], expected[same])
    print(f"{model}: {count} prompts, {sum(map(len, mine))} tokens, ties {ties}")
    assert len(ties) <= count / 20


def both(store: Store, *models: str) -> tuple[Engine, Engine]:
    """Ours and the reference."""
    return (
        Engine(*models, store=store, executor="native", dtype="float32"),
        Engine(*models, store=store, executor="torch", dtype="float32"),
    )


def test_small_models_and_their_adapters(native_model_home: Path) -> None:
    names = ("tiny", "tiny-adapter")
    ours, reference = both(Store(native_model_home), *names)
    with ours, reference:
        for name in names:
            check(ours, reference, name, 40)


def test_the_real_model(tmp_path: Path) -> None:
    ours, reference = both(Store(tmp_path), "smollm2-135m")
    with ours, reference:
        check(ours, reference, "smollm2-135m", PROMPTS)
