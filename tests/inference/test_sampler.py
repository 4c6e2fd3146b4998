"""The choice of a token: distributions, filters, penalties, and its independence of the batch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from openhearth.errors import UsageError
from openhearth.inference import Sampling
from openhearth.inference.sampler import gumbel, keep, penalise, sample

logits_of = st.lists(st.floats(-8, 8, width=32), min_size=2, max_size=40).map(torch.tensor)


def draw(logits: torch.Tensor, sampling: Sampling, *, seed: int = 0, position: int = 0) -> int:
    return sample(logits, sampling, seed=seed, position=position, prompt=[0], answer=[])


@given(logits_of)
def test_temperature_zero_takes_the_likeliest(logits: torch.Tensor) -> None:
    assert logits[draw(logits, Sampling(temperature=0))] == logits.max()


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_samples_follow_the_softmax(temperature: float) -> None:
    logits = torch.tensor([2.0, 1.0, 0.0, -1.0, -3.0])
    count = 4000
    drawn = [draw(logits, Sampling(temperature=temperature), position=i) for i in range(count)]
    observed = np.bincount(drawn, minlength=5) / count
    expected = (logits / temperature).softmax(-1).numpy()
    # Four standard deviations of a share among 4000 draws.
    assert np.all(np.abs(observed - expected) < 4 * np.sqrt(expected * (1 - expected) / count))


def test_the_same_seed_and_position_give_the_same_token_and_others_do_not() -> None:
    flat = torch.zeros(10_000)
    assert draw(flat, Sampling(), seed=7, position=3) == draw(flat, Sampling(), seed=7, position=3)
    tokens = {draw(flat, Sampling(), seed=s, position=p) for s in range(5) for p in range(5)}
    assert len(tokens) > 20


def test_gumbel_noise_is_finite_and_has_the_gumbel_mean() -> None:
    noise = gumbel(1, 2, 200_000)
    assert noise.isfinite().all()
    assert abs(noise.mean().item() - np.euler_gamma) < 0.015  # 5 sigma: 1.28 / sqrt(200000) each


@given(logits_of, st.integers(1, 50))
def test_top_k_keeps_k_and_those_as_likely(logits: torch.Tensor, k: int) -> None:
    kept = keep(logits, Sampling(top_k=k)).isfinite()
    assert kept.sum() >= min(k, len(logits))
    if not kept.all():
        assert logits[kept].min() >= logits.sort(descending=True).values[k - 1]


@given(logits_of, st.floats(0, 1))
def test_top_p_keeps_the_smallest_set_that_reaches_p(logits: torch.Tensor, p: float) -> None:
    kept = keep(logits, Sampling(top_p=p)).isfinite()
    probabilities = logits.softmax(-1)
    mass = probabilities[kept].sum()
    assert kept.any()
    assert mass >= p - 1e-5
    assert mass - probabilities[kept].min() <= p + 1e-5
    assert kept[logits.argmax()]


@given(logits_of, st.floats(0.01, 1))
def test_min_p_is_relative_to_the_likeliest(logits: torch.Tensor, share: float) -> None:
    kept = keep(logits, Sampling(min_p=share)).isfinite()
    probabilities = logits.softmax(-1).double()
    clearly = (probabilities / probabilities.max() - share).abs() > 1e-4
    assert torch.equal(kept[clearly], (probabilities >= share * probabilities.max())[clearly])


def test_penalties_by_hand() -> None:
    logits = torch.tensor([2.0, -2.0, 1.0, 0.0])
    repeated = penalise(logits, Sampling(repetition_penalty=2.0), prompt=[0], answer=[1])
    assert repeated.tolist() == [1.0, -4.0, 1.0, 0.0]  # positive halved, negative doubled
    sampling = Sampling(presence_penalty=0.5, frequency_penalty=0.25, logit_bias={3: 7.0})
    counted = penalise(logits, sampling, prompt=[0, 0], answer=[2, 2, 1])
    # Token 2 twice: 1 - 0.5 - 2 * 0.25; token 1 once: -2 - 0.5 - 0.25; the prompt does not count.
    assert counted.tolist() == [2.0, -2.75, 0.0, 7.0]
    assert logits.tolist() == [2.0, -2.0, 1.0, 0.0]


@pytest.mark.parametrize(
    ("name", "value"),
    [("temperature", 2.5), ("top_p", -0.1), ("max_tokens", 0), ("logprobs", 21), ("min_p", 2.0)],
)
def test_values_out_of_range_name_the_parameter(name: str, value: float) -> None:
    with pytest.raises(UsageError, match=rf"^{name} is"):
        Sampling(**{name: value})
