"""A model of the store scores answers: its own are what it draws, those of other seeds are not."""

from pathlib import Path
from typing import Any

import pytest

from openhearth.bench.gate.agreement import agreement
from openhearth.bench.gate.places import places
from openhearth.bench.gate.sampling import audit
from openhearth.bench.gate.scorer import Scorer
from openhearth.bench.records import Record
from openhearth.inference import Engine, TokenLogprob
from openhearth.store import Store

WARM: dict[str, Any] = {"temperature": 0.7, "top_p": 0.95, "logprobs": True, "top_logprobs": 5}


def answers(home: Path, seeds: range, off: int = 0) -> list[Record]:
    """The engine's answers, each with a seed; they claim one that is so far off."""
    found = []
    with Engine.open(Store(home), ["tiny"], dtype="float32") as engine:
        for seed in seeds:
            messages = [{"role": "user", "content": f"The quick brown fox {seed}"}]
            answer = engine.generate(
                messages, max_tokens=24, temperature=0.7, top_p=0.95, seed=seed, logprobs=5
            )
            found.append(
                Record(
                    seed,
                    "gate",
                    "chat/completions",
                    {"messages": messages, "seed": seed + off} | WARM,
                    0.0,
                    check={"gate": "seeded", "question": seed},
                    logprobs=[told(token) for token in answer.logprobs],
                )
            )
    return found


def told(token: TokenLogprob) -> dict[str, Any]:
    """As a server tells it."""
    tops = [{"token": text, "logprob": logprob} for _, text, logprob in token.top]
    return {"token": token.text, "logprob": token.logprob, "top_logprobs": tops}


@pytest.fixture(scope="module")
def scorer(tiny_model_home: Path) -> Scorer:
    return Scorer(Store(tiny_model_home).get("tiny"))


def test_of_its_own_model_it_says_the_same(tiny_model_home: Path, scorer: Scorer) -> None:
    served = answers(tiny_model_home, range(30))
    by_question = {record.check["question"]: record for record in scorer.score(served)}
    readable = [record for record in served if record.number in by_question]
    found = agreement([p for r in readable for p in places(r, by_question[r.number], r.number)])
    assert found is not None
    assert found.kl == pytest.approx(0, abs=1e-4)
    drawn = audit(served, by_question)
    assert drawn is not None
    assert drawn.same > 0.98
    assert drawn.gap < 0.01
    assert drawn.tokens > 20


def test_of_another_seed_the_published_numbers_draw_other_tokens(
    tiny_model_home: Path, scorer: Scorer
) -> None:
    served = answers(tiny_model_home, range(30), off=1)
    drawn = audit(served, {record.check["question"]: record for record in scorer.score(served)})
    assert drawn is not None
    assert drawn.same < 0.9
    assert drawn.gap > 0.05


def test_what_it_cannot_read_it_leaves_out(scorer: Scorer) -> None:
    odd = Record(0, "gate", "chat/completions", {"messages": [{"role": "poet"}]}, 0.0,
                 logprobs=[{"token": "a", "logprob": -1.0}])  # fmt: skip
    assert scorer.score([odd]) == []
