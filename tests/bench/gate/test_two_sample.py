"""The two-sample test: exact on small cases, right in size, and strong enough to be of use."""

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openhearth.bench.gate.two_sample import Samples, hamming, two_sample
from openhearth.errors import UsageError

TEXT = "the a river house walked slowly under old bright stone and saw nine birds"
WORDS = TEXT.split()


def samples(seed: int, prompts: int = 8, each: int = 8, bend: float = 0.0) -> Samples:
    """Completions of a writer who begins each as the prompt says, and likes, bent, some words more;
    by another seed the same writer.
    """
    rng = random.Random(seed)
    weights = [1 + bend * (i < 4) for i in range(len(WORDS))]

    def text(prompt: int) -> str:
        begin = random.Random(prompt).choices(WORDS, weights, k=10)
        return " ".join([*begin, *rng.choices(WORDS, weights, k=10)])

    return {prompt: [text(prompt) for _ in range(each)] for prompt in range(prompts)}


def test_the_kernel_is_the_share_of_equal_places() -> None:
    kernel = hamming(["abcd", "abXd", "ab"])
    assert kernel == pytest.approx(np.array([[1, 0.75, 0.5], [0.75, 1, 0.5], [0.5, 0.5, 1]]))


@given(st.lists(st.text(max_size=30), min_size=1, max_size=6))
def test_the_kernel_is_one_of_equal_texts_only_and_symmetric(texts: list[str]) -> None:
    kernel = hamming(texts)
    assert np.array_equal(kernel, kernel.T)
    for i, one in enumerate(texts):
        for j, other in enumerate(texts):
            assert (kernel[i, j] == 1) == (one == other)


def test_the_distance_is_that_of_the_definition() -> None:
    served, reference = {0: ["aa", "ab"], 1: ["cc", "cc"]}, {0: ["bb", "bb"], 1: ["cc", "cc"]}
    # Prompt 0: 0.5 among the served, 1 among the reference's, (0 + 0 + 0.5 + 0.5) / 4 between.
    # Prompt 1: all equal, so 0.
    assert two_sample(served, reference).distance == pytest.approx((0.5 + 1 - 2 * 0.25) / 2)


def test_equal_writers_are_rejected_as_often_as_the_test_says() -> None:
    ps = [two_sample(samples(2 * i), samples(2 * i + 1)).p for i in range(40)]
    # Of 40, at 5 %: 2 are expected, and more than 6 come in less than 1 % of such experiments.
    assert sum(p <= 0.05 for p in ps) <= 6
    assert sum(p <= 0.5 for p in ps) >= 10  # and they are not all high


def test_equal_writers_are_equivalent_and_bent_ones_are_not() -> None:
    same = two_sample(samples(1), samples(2))
    bent = two_sample(samples(1, bend=4), samples(2))
    assert same.equivalent
    assert same.p > 0.01
    assert bent.equivalent is False
    assert bent.p < 0.01


def test_a_sample_of_one_text_is_not_equivalent_to_one_of_many() -> None:
    stored = {prompt: [texts[0]] * 8 for prompt, texts in samples(1).items()}
    assert two_sample(stored, samples(2)).equivalent is False


def test_too_few_samples_are_refused_and_few_have_no_margin() -> None:
    with pytest.raises(UsageError, match="two prompts or more"):
        two_sample({0: ["a", "b"]}, {0: ["a", "b"]})
    with pytest.raises(UsageError, match="two prompts or more"):
        two_sample({0: ["a"], 1: ["b"]}, {0: ["a", "b"], 1: ["a", "b"]})
    few = two_sample(samples(1, each=3), samples(2, each=3))
    assert few.margin is None
    assert few.equivalent is None


def test_the_same_samples_give_the_same_figures() -> None:
    assert two_sample(samples(1), samples(2)) == two_sample(samples(1), samples(2))


def test_samples_that_could_not_tell_anything_apart_prove_nothing() -> None:
    """Texts without a common beginning: those of one prompt are no more alike than any two."""
    rng = random.Random(5)

    def noise() -> Samples:
        return {p: [" ".join(rng.choices(WORDS, k=20)) for _ in range(8)] for p in range(8)}

    found = two_sample(noise(), noise())
    assert found.margin is not None
    assert found.equivalent is None
