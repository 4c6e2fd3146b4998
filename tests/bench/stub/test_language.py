"""A stub's language: probabilities that are known, and answers that are drawn by them."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from openhearth.bench.stub import Answering, Language, render
from openhearth.bench.stub.language import ANSWER, END, WORDS, split
from openhearth.inference.request import Sampling

ASKED = render([{"role": "user", "content": "What is it that we know of this?"}])
texts = st.text("ab \n:", max_size=60)


def answer(language: Language, prompt: str = ASKED, seed: int = 0, **sampling: float) -> list[int]:
    asked = Sampling(**{"max_tokens": 12, "temperature": 1.0} | sampling)  # type: ignore[arg-type]
    return [choice.token for choice in language.answer(prompt, asked, seed)]


@given(texts, st.booleans(), st.integers(0, 5))
def test_whoever_scores_an_answer_finds_the_probabilities_it_was_drawn_by(
    prompt: str, chat: bool, seed: int
) -> None:
    """For chats and for plain prompts, however short."""
    prompt = prompt.rstrip() + ANSWER if chat else prompt.rstrip()
    language = Language(Answering(length=20))
    chosen = list(language.answer(prompt, Sampling(max_tokens=6, temperature=1.0), seed, 3))
    chosen = [choice for choice in chosen if choice.token != END]
    said = "".join(WORDS[choice.token] for choice in chosen)
    scored = language.score(prompt + said, 3)
    assert [choice for _, choice in scored[len(scored) - len(chosen) :]] == chosen


def test_tokens_are_drawn_by_their_probabilities() -> None:
    """A chi-squared test of 2,000 first tokens, at one in a thousand."""
    language = Language(Answering())
    drawn = Counter(answer(language, seed=seed, max_tokens=1)[0] for seed in range(2000))
    (first,) = language.answer(ASKED, Sampling(max_tokens=1), 0, len(WORDS))
    expected = np.array([2000 * np.exp(logprob) for _, logprob in first.top])
    seen = np.array([drawn[token] for token, _ in first.top])
    likely = expected >= 5
    pairs = [[*of[likely], of[~likely].sum()] for of in (seen, expected)]
    assert stats.chisquare(*pairs, sum_check=False).pvalue > 0.001


def test_a_seed_gives_one_answer_and_greedy_needs_none() -> None:
    language = Language(Answering(length=1e6))
    assert answer(language, seed=1) == answer(language, seed=1) != answer(language, seed=2)
    assert answer(language, seed=1, temperature=0) == answer(language, seed=2, temperature=0)


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_lengths_are_geometric_and_no_answer_is_empty(temperature: float) -> None:
    """Of 400 answers the mean is within three standard errors of the truth's."""
    language = Language(Answering(length=8))
    prompts = (render([{"role": "user", "content": f"Question {n}"}]) for n in range(400))
    asked = {"temperature": temperature, "max_tokens": 200}
    answers = [answer(language, prompt, n, **asked) for n, prompt in enumerate(prompts)]
    lengths = [sum(token != END for token in one) for one in answers]
    assert min(lengths) == 1
    assert np.mean(lengths) == pytest.approx(8, abs=3 * (8 * 7 / 400) ** 0.5)


def divergence(truth: Language, served: Language) -> float:
    """Mean KL(truth || served) in nats over contexts."""
    kl = []
    for number in range(200):
        pair = [one.logits(str(number), []).astype(np.float64) for one in (truth, served)]
        p, q = (logits - np.logaddexp.reduce(logits) for logits in pair)
        kl.append(np.exp(p) @ (p - q))
    return float(np.mean(kl))


def test_other_models_are_as_far_away_as_the_truth_says() -> None:
    """Noise of deviation s on each logit costs about s²/2 · (1 - Σp²) nats."""
    truth = Language(Answering())
    assert divergence(truth, Language(Answering())) == 0
    small = divergence(truth, Language(Answering(sigma=0.05)))
    large = divergence(truth, Language(Answering(sigma=0.2)))
    assert 0.5 * 0.05**2 / 2 < small < 1.1 * 0.05**2 / 2
    assert large == pytest.approx(16 * small, rel=0.15)
    assert divergence(truth, Language(Answering(other=0.1))) > small
    assert divergence(truth, Language(Answering(seed=1))) > 1


def test_words_are_tokens_and_every_text_is_words() -> None:
    assert len(set(WORDS)) == len(WORDS)
    assert split("".join(WORDS[1:9])) == WORDS[1:9]
    assert "".join(split("a  b\nc")) == "a  b\nc"
