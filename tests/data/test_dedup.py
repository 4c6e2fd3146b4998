"""Duplicates: exact ones by hand, near ones by their known probability."""

from __future__ import annotations

import random

import datasketch
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openhearth.data import dedup
from openhearth.errors import UsageError

words = st.lists(st.sampled_from("abcdefghijklmnop"), max_size=40)


def varied(length: int, changed: int, seed: int) -> tuple[str, str]:
    """Two texts of `length` words that differ in `changed` places spread evenly."""
    chance = random.Random(seed)
    one = [f"w{chance.randrange(10**6)}" for _ in range(length)]
    other = list(one)
    for k in range(changed):
        other[k * length // changed] = f"x{k}"
    return " ".join(one), " ".join(other)


def jaccard(one: str, other: str, n: int) -> float:
    a, b = dedup.shingles(one, n), dedup.shingles(other, n)
    return len(a & b) / len(a | b)


def test_exact_duplicates_ignore_case_punctuation_and_spaces() -> None:
    texts = ["Hello, world!", "hello   WORLD", "hello worlds", "Hello, world!"]
    assert dedup.exact_duplicates(texts).tolist() == [False, True, False, True]


@given(st.lists(words.map(" ".join), max_size=12))
def test_the_same_text_is_always_in_the_same_cluster(texts: list[str]) -> None:
    first = dedup.near_duplicates(texts, words=3)
    for i, text in enumerate(texts):
        assert first[i] <= i
        assert first[first[i]] == first[i]
        if len(text.split()) >= 3:
            assert first[i] == first[texts.index(text)]
        else:
            assert first[i] == i  # too short to say


def test_the_estimate_is_near_the_truth() -> None:
    for changed in (2, 5, 10, 20):
        one, other = varied(400, changed, seed=changed)
        truth = jaccard(one, other, 5)
        mine = dedup.estimate(
            dedup.minhash(dedup.shingles(one, 5)), dedup.minhash(dedup.shingles(other, 5))
        )
        # Four standard deviations of a share among 128 permutations.
        assert abs(mine - truth) < 4 * np.sqrt(truth * (1 - truth) / dedup.PERMUTATIONS)


def test_estimates_agree_with_those_of_datasketch() -> None:
    """Its hashes and permutations are others, so only what both estimate can be compared."""
    ours, theirs = [], []
    for changed in range(1, 40):
        pair = [dedup.shingles(text, 5) for text in varied(300, changed, seed=changed)]
        ours.append(dedup.estimate(*map(dedup.minhash, pair)))
        sketches = [datasketch.MinHash(num_perm=dedup.PERMUTATIONS) for _ in pair]
        for sketch, items in zip(sketches, pair, strict=True):
            sketch.update_batch([item.encode() for item in items])
        theirs.append(sketches[0].jaccard(sketches[1]))
    difference = np.array(ours) - np.array(theirs)
    # Each estimate deviates by at most sqrt(1/4/128) = 0.044; the mean of 39 differences by 0.01.
    assert abs(difference.mean()) < 4 * 0.01
    assert abs(difference).max() < 4 * np.sqrt(2) * 0.044


@pytest.mark.parametrize(("similarity", "near", "far"), [(0.7, 4, 60), (0.8, 3, 60), (0.9, 1, 60)])
def test_near_copies_are_found_and_others_are_not(similarity: float, near: int, far: int) -> None:
    """`near` changed words of 400 leave a Jaccard similarity well above, `far` well below."""
    for seed in range(5):
        one, close = varied(400, near, seed)
        _, distant = varied(400, far, seed)
        assert jaccard(one, close, 5) > similarity + 0.04
        assert jaccard(one, distant, 5) < similarity - 0.2
        assert dedup.near_duplicates([one, close, distant], similarity, 5).tolist() == [0, 0, 2]


def test_an_unknown_similarity_names_the_known_ones() -> None:
    with pytest.raises(UsageError, match=r"0\.7, 0\.8, 0\.9"):
        dedup.near_duplicates(["a"], 0.75)
