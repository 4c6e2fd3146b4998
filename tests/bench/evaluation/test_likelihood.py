"""Scores in batches and over shared beginnings are those of each text alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from openhearth.bench.evaluation.likelihood import Likelihood
from openhearth.bench.evaluation.subject import Subject
from openhearth.bench.evaluation.windows import Scored
from openhearth.models import Piece, Ragged
from openhearth.store import Store

Tokens = st.lists(st.integers(0, 300), min_size=1, max_size=40).map(tuple)


@pytest.fixture(scope="module")
def subject(tiny_model_home: Path) -> Subject:
    return Subject.open(Store(tiny_model_home), "tiny", "tiny-adapter")


@given(before=Tokens, after=st.lists(Tokens, min_size=1, max_size=6), alone=Tokens)
@settings(max_examples=10)
def test_as_one_text_alone(
    subject: Subject, before: tuple[int, ...], after: list[tuple[int, ...]], alone: tuple[int, ...]
) -> None:
    wanted = [Scored(before, tokens) for tokens in after] + [Scored((1,), alone)]
    for one, score in zip(wanted, subject.likelihood.score(wanted), strict=True):
        nats, greedy = _plainly(subject.likelihood, one)
        np.testing.assert_allclose(score.nats, nats, rtol=1e-3, atol=1e-3)
        assert score.greedy == greedy


def test_what_is_likeliest_is_greedy(subject: Subject) -> None:
    everything = range(subject.tokenizer.vocab_size)
    nats = subject.likelihood.score([Scored((5, 6), (token,)) for token in everything])
    best = min(everything, key=lambda token: nats[token].nats[0])
    assert nats[best].greedy
    assert sum(one.greedy for one in nats) == 1
    assert sum(np.exp(-one.nats[0]) for one in nats) == pytest.approx(1, abs=1e-4)


def _plainly(likelihood: Likelihood, one: Scored) -> tuple[np.ndarray, bool]:
    text = torch.tensor(one.before + one.tokens)
    with torch.inference_mode():
        batch = Ragged([Piece(len(text), adapter=likelihood._adapter)])
        logits = likelihood._model.logits(likelihood._model(text, batch))
    rows = logits[len(one.before) - 1 : -1].log_softmax(dim=-1)
    aims = text[len(one.before) :]
    return -rows.gather(1, aims[:, None])[:, 0].numpy(), bool((rows.argmax(1) == aims).all())
