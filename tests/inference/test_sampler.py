"""The choice of a token: distributions, filters, and the same in C++, in any company."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openhearth.errors import UsageError
from openhearth.inference import Sampling
from openhearth.inference.penalties import Penalties
from openhearth.inference.sampler import Choice, Draw, Floats, keep, sample, weights


def fp32(values: list[float]) -> Floats:
    return np.array(values, dtype=np.float32)


logits_of = st.lists(st.floats(-8, 8, width=32), min_size=2, max_size=40).map(fp32)


def distances(logits: Floats) -> Floats:
    return logits - logits.max()


def draw(logits: Floats, sampling: Sampling, *, seed: int = 0, position: int = 0) -> int:
    return sample(logits[None], [Draw(sampling, seed, position)])[0].token


@given(logits_of)
def test_temperature_zero_takes_the_likeliest(logits: Floats) -> None:
    assert logits[draw(logits, Sampling(temperature=0))] == logits.max()


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_samples_follow_the_softmax(temperature: float) -> None:
    logits = fp32([2.0, 1.0, 0.0, -1.0, -3.0])
    count = 4000
    drawn = [draw(logits, Sampling(temperature=temperature), position=i) for i in range(count)]
    observed = np.bincount(drawn, minlength=5) / count
    expected = np.exp(logits / temperature) / np.exp(logits / temperature).sum()
    # Four standard deviations of a share among 4000 draws.
    assert np.all(np.abs(observed - expected) < 4 * np.sqrt(expected * (1 - expected) / count))


def test_the_same_seed_and_position_give_the_same_token_and_others_do_not() -> None:
    flat = np.zeros(10_000, dtype=np.float32)
    assert draw(flat, Sampling(), seed=7, position=3) == draw(flat, Sampling(), seed=7, position=3)
    tokens = {draw(flat, Sampling(), seed=s, position=p) for s in range(5) for p in range(5)}
    assert len(tokens) > 20


@given(logits_of, st.integers(1, 50))
def test_top_k_keeps_k_and_those_as_likely(logits: Floats, k: int) -> None:
    below = distances(logits)
    kept = np.isfinite(keep(below, Sampling(top_k=k)))
    assert kept.sum() >= min(k, len(logits))
    if not kept.all():
        assert below[kept].min() >= np.sort(below)[-k]


@given(logits_of, st.floats(0, 1))
def test_top_p_keeps_those_before_whom_less_than_p_lies(logits: Floats, p: float) -> None:
    kept = np.isfinite(keep(distances(logits), Sampling(top_p=p)))
    probabilities = np.exp(distances(logits)).astype(np.float64)
    probabilities /= probabilities.sum()
    likelier = np.array([probabilities[distances(logits) > d].sum() for d in distances(logits)])
    clearly = np.abs(likelier - p) > 1e-5
    assert np.array_equal(kept[clearly], (likelier < p)[clearly])
    assert kept[logits.argmax()]


@given(logits_of, st.floats(0.01, 1))
def test_min_p_is_relative_to_the_likeliest(logits: Floats, share: float) -> None:
    kept = np.isfinite(keep(distances(logits), Sampling(min_p=share)))
    relative = np.exp(distances(logits))
    clearly = np.abs(relative - share) > 1e-4
    assert np.array_equal(kept[clearly], (relative >= share)[clearly])


def test_weights_are_exponentials_in_units_of_the_thirtieth_power_of_a_half() -> None:
    distances = np.linspace(-30, 0, 10_001, dtype=np.float32)
    exact = np.exp(distances.astype(np.float64)) * 2**30
    assert weights(distances)[-1] == 2**30
    assert np.all(np.abs(weights(distances) - exact) <= 1 + 2e-6 * exact)


def test_only_allowed_tokens_are_chosen_and_none_allowed_is_an_error() -> None:
    logits = fp32([3.0] * 32 + [1.0] * 8)
    one = Draw(Sampling(), 1, 1, allowed=np.array([0, 1 << 5], dtype=np.uint32))
    none = dataclasses.replace(one, allowed=np.zeros(1, dtype=np.uint32))
    assert [c.token for c in sample(np.stack([logits, logits]), [one, none])] == [37, -1]


def test_a_row_that_is_not_a_number_leaves_the_others_alone() -> None:
    rows = np.zeros((3, 20), dtype=np.float32)
    rows[:, 4] = 1
    rows[1, 7] = np.nan
    greedy = [Draw(Sampling(temperature=0), 0, 0)] * 3
    assert [c.token for c in sample(rows, greedy)] == [4, -1, 4]


def test_logprobs_are_those_before_any_change() -> None:
    logits = fp32([1.0, 3.0, 2.0, 3.0])
    sampling = Sampling(temperature=0, logit_bias={0: 50.0}, logprobs=3)
    penalties = Penalties.of(sampling, [], 4)
    choice = sample(logits[None], [Draw(sampling, 0, 0, penalties)])[0]
    exact = logits - np.log(np.exp(logits.astype(float)).sum())
    assert choice.token == 0
    assert choice.logprob == pytest.approx(exact[0])
    assert [i for i, _ in choice.top] == [1, 3, 2]
    assert [v for _, v in choice.top] == pytest.approx([exact[1], exact[3], exact[2]])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("temperature", 2.5),
        ("temperature", float("nan")),
        ("top_p", -0.1),
        ("max_tokens", 0),
        ("max_tokens", 1.5),
        ("top_k", 2.5),
        ("seed", 0.5),
        ("logprobs", -1),
        ("logprobs", 10**7),
        ("min_p", 2.0),
        ("logit_bias", {5: float("nan")}),
        ("logit_bias", {5: float("-inf")}),
        ("logit_bias", {5: 1e39}),
        ("stop", [5]),
    ],
)
def test_wrong_values_name_the_parameter(name: str, value: Any) -> None:
    with pytest.raises(UsageError, match=rf"^{name} (of token 5 )?is"):
        Sampling(**{name: value})


def test_a_text_is_one_stop() -> None:
    assert Sampling(stop="END").stop == ("END",)
    assert Sampling(stop=["a", "b"]).stop == ("a", "b")
    assert Sampling(top_k=np.int64(4), seed=np.uint64(7)).top_k == 4


samplings = st.builds(
    Sampling,
    temperature=st.sampled_from([0.0, 1e-300, 0.01, 0.7, 1.0, 2.0]),
    top_p=st.sampled_from([0.0, 0.1, 0.5, 0.95, 1 - 1e-9, 1.0]),
    top_k=st.sampled_from([0, 1, 2, 7, 50, 1000]),
    min_p=st.sampled_from([0.0, 1e-9, 0.05, 1.0]),
    repetition_penalty=st.sampled_from([1.0, 1.3]),
    presence_penalty=st.sampled_from([0.0, 0.6]),
    frequency_penalty=st.sampled_from([0.0, -0.2]),
    logit_bias=st.dictionaries(st.integers(0, 1), st.floats(-5, 5), max_size=2),
    logprobs=st.sampled_from([None, 0, 5, 20]),
)


@st.composite
def steps(pick: st.DrawFn) -> tuple[Floats, list[Draw]]:
    """Logits of a few rows, peaked or flat, smooth or with ties, sometimes broken; and draws."""
    size, count = pick(st.sampled_from([2, 15, 16, 33, 1000])), pick(st.integers(1, 4))
    noise = np.random.default_rng(pick(st.integers(0, 2**32)))
    spread = pick(st.sampled_from([0.0, 0.5, 3.0, 30.0]))
    logits = (noise.standard_normal((count, size)) * spread).astype(np.float32)
    if pick(st.booleans()):
        logits = np.round(logits)
    for broken in pick(st.lists(st.sampled_from([np.nan, np.inf, -np.inf]), max_size=3)):
        logits[noise.integers(count), noise.integers(size)] = broken
    draws = []
    for _ in range(count):
        sampling = pick(samplings)
        penalties = Penalties.of(sampling, noise.integers(size, size=3).tolist(), size)
        for token in noise.integers(size, size=3).tolist():
            penalties = penalties and penalties.after(token)
        words = pick(st.sampled_from([None, 1, -(-size // 32)]))
        allowed = None if words is None else noise.integers(2**32, size=words, dtype=np.uint32)
        seed = pick(st.integers(-(2**63), 2**64 - 1))
        draws.append(Draw(sampling, seed, pick(st.integers(0, 2**40)), penalties, allowed))
    return logits, draws


@pytest.fixture(scope="module")
def program() -> Any:
    engine = pytest.importorskip("openhearth._engine")
    return engine.Program("portable", 2)


def same(ours: Choice, reference: Choice) -> bool:
    return (
        ours.token == reference.token
        and [i for i, _ in ours.top] == [i for i, _ in reference.top]
        and ours.logprob == pytest.approx(reference.logprob, abs=1e-6, nan_ok=True)
        and [v for _, v in ours.top]
        == pytest.approx([v for _, v in reference.top], abs=1e-6, nan_ok=True)
    )


@given(steps())
def test_the_native_sampler_makes_the_same_choices(
    program: Any, step: tuple[Floats, list[Draw]]
) -> None:
    logits, draws = step
    before = logits.copy()
    pairs = zip(sample(logits, draws, program), sample(logits, draws), strict=True)
    assert all(same(native, plain) for native, plain in pairs)
    assert np.array_equal(logits, before, equal_nan=True)


@pytest.mark.parametrize("spread", [0.0, 1.0, 4.0])
def test_the_native_sampler_agrees_on_whole_vocabularies(program: Any, spread: float) -> None:
    noise = np.random.default_rng(3)
    logits = (noise.standard_normal((8, 49_152)) * spread).astype(np.float32)
    for sampling in [
        Sampling(),
        Sampling(top_p=0.9),
        Sampling(top_p=0.01),
        Sampling(top_k=40, min_p=0.01, logprobs=4),
    ]:
        draws = [Draw(sampling, 11, position) for position in range(8)]
        pairs = zip(sample(logits, draws, program), sample(logits, draws), strict=True)
        assert all(same(native, plain) for native, plain in pairs)


def test_company_changes_nothing(program: Any) -> None:
    logits = np.random.default_rng(5).standard_normal((32, 500)).astype(np.float32)
    draws = [Draw(Sampling(), seed, 9) for seed in range(32)]
    together = [c.token for c in sample(logits, draws, program)]
    alone = [sample(logits[i : i + 1], draws[i : i + 1], program)[0].token for i in range(32)]
    assert together == alone
