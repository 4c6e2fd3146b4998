"""The sample of a class, and the measures, against counting pair by pair."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openhearth.data.scorers.samples import measure, sample, split
from openhearth.errors import UsageError

scores = st.lists(st.sampled_from([0.0, 0.05, 0.3, 0.5, 0.55, 0.8, 1.0]), min_size=1, max_size=8)


def test_a_sample_takes_each_text_equally_often() -> None:
    texts = [pa.array(["a", "b", ""]), pa.array(["c", " \n", "d"])]
    taken = Counter(text for seed in range(600) for text in sample(texts, "any", seed, size=2))
    assert sorted(taken) == ["a", "b", "c", "d"]
    # Each is taken with probability 1/2: 300 times, give or take 4 standard deviations of 12.2.
    assert all(250 < count < 350 for count in taken.values())
    assert sample(texts, "any", 1) == sample(texts, "any", 1) != sample(texts, "any", 2)


@pytest.mark.parametrize("texts", [[], [""], ["only one"], [None, "one"]])
def test_too_few_texts_say_what_to_do(texts: list[str | None]) -> None:
    with pytest.raises(UsageError, match="positive documents to learn from: give at least two"):
        sample([pa.array(texts, pa.string())], "positive", 0)


def test_one_in_ten_is_held_out_and_at_least_one() -> None:
    learn, apart = split([str(i) for i in range(95)])
    assert (len(learn), len(apart)) == (86, 9)
    assert not set(learn) & set(apart)
    assert split(["a", "b"]) == (["b"], ["a"])


@given(scores, scores)
@settings(deadline=None)
def test_measures_are_what_they_say(positive: list[float], negative: list[float]) -> None:
    found = measure(np.array(positive), np.array(negative))
    pairs = [1.0 if p > n else 0.5 if p == n else 0.0 for p in positive for n in negative]
    assert found["auc"] == pytest.approx(sum(pairs) / len(pairs))
    both = [(p, 1) for p in positive] + [(n, 0) for n in negative]
    assert found["accuracy"] == sum((s > 0.5) == bool(y) for s, y in both) / len(both)
    losses = [-math.log(max(s if y else 1 - s, 1e-12)) for s, y in both]
    assert found["log_loss"] == pytest.approx(sum(losses) / len(both))
    gaps = 0.0
    for low in range(10):
        inside = [(s, y) for s, y in both if min(int(s * 10), 9) == low]
        gaps += abs(sum(s for s, _ in inside) - sum(y for _, y in inside))
    assert found["calibration_error"] == pytest.approx(gaps / len(both))
