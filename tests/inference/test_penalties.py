"""Penalties and biases, by hand and as the answer grows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openhearth.errors import UsageError
from openhearth.inference import Sampling
from openhearth.inference.penalties import Penalties


def changed(
    logits: list[float], sampling: Sampling, prompt: list[int], answer: list[int]
) -> list[float]:
    penalties = Penalties.of(sampling, prompt, len(logits))
    for token in answer:
        penalties = penalties and penalties.after(token)
    row = np.array(logits, dtype=np.float32)
    if penalties is not None:
        row[penalties.tokens] = penalties.values(row)
    return row.tolist()


def test_penalties_by_hand() -> None:
    logits = [2.0, -2.0, 1.0, 0.0]
    # Positive halved, negative doubled.
    assert changed(logits, Sampling(repetition_penalty=2.0), [0], [1]) == [1.0, -4.0, 1.0, 0.0]
    sampling = Sampling(presence_penalty=0.5, frequency_penalty=0.25, logit_bias={3: 7.0})
    # Token 2 twice: 1 - 0.5 - 2 * 0.25; token 1 once: -2 - 0.5 - 0.25; the prompt does not count.
    assert changed(logits, sampling, [0, 0], [2, 2, 1]) == [2.0, -2.75, 0.0, 7.0]


tokens = st.lists(st.integers(0, 9), max_size=12)


@given(tokens, tokens, st.dictionaries(st.integers(0, 9), st.floats(-5, 5, width=16)))
def test_what_grew_token_by_token_is_what_the_whole_answer_says(
    prompt: list[int], answer: list[int], bias: dict[int, float]
) -> None:
    sampling = Sampling(
        repetition_penalty=2.0, presence_penalty=0.5, frequency_penalty=0.25, logit_bias=bias
    )
    logits = [1.0, -1.0] * 5
    expected = []
    for token, logit in enumerate(logits):
        if token in prompt or token in answer:
            logit = logit / 2 if logit > 0 else logit * 2
        logit -= 0.5 * (token in answer) + 0.25 * answer.count(token)
        # One addition in fp32, as the engine's: a bias may be smaller than a logit's last bit.
        expected.append(float(np.float32(logit) + np.float32(bias.get(token, 0))))
    assert changed(logits, sampling, prompt, answer) == expected


def test_nothing_is_kept_when_nothing_changes_the_logits() -> None:
    assert Penalties.of(Sampling(), [1, 2], 10) is None


def test_a_bias_on_an_unknown_token_names_it() -> None:
    with pytest.raises(UsageError, match="token 10"):
        Penalties.of(Sampling(logit_bias={10: 1.0}), [], 10)
