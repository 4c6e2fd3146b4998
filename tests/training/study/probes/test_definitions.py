"""Every probe is what it says: held to its definition, one sequence after the other."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from openhearth.training.study.probes import (
    IGNORED,
    AssociativeRecall,
    Compression,
    FuzzyRecall,
    InContextRecall,
    Memorisation,
    NoisyRecall,
    Probe,
    SelectiveCopying,
)
from openhearth.training.study.probes.base import without_repetition

SEEDS = st.integers(0, 2**32 - 1)
FEW: dict[str, Any] = {"train": 3, "test": 3}
ALL: list[Probe] = [
    AssociativeRecall(vocabulary=64, length=32, **FEW),
    Compression(**FEW),
    FuzzyRecall(**FEW),
    InContextRecall(**FEW),
    Memorisation(test=3),
    NoisyRecall(**FEW),
    SelectiveCopying(**FEW),
]


def draw(probe: Probe, seed: int, *, test: bool = True) -> list[tuple[list[int], list[int]]]:
    tokens, labels = probe.draw(3, np.random.default_rng(seed), test=test)
    assert tokens.shape == labels.shape
    assert tokens.min() >= 0
    assert tokens.max() < probe.vocabulary
    return list(zip(tokens.tolist(), labels.tolist(), strict=True))


@pytest.mark.parametrize("probe", ALL, ids=lambda p: p.name)
def test_a_seed_determines_all(probe: Probe) -> None:
    one, again, other = (probe.drawn(seed) for seed in (1, 1, 2))
    for ours, theirs in ((one.train, again.train), (one.test, again.test)):
        assert all((a == b).all() for a, b in zip(ours, theirs, strict=True))
    assert (one.train[0] != other.train[0]).any()
    assert len(one.train[0]) == probe.train
    assert len(one.test[0]) == probe.test


@settings(max_examples=25)
@given(SEEDS, st.integers(1, 8), st.sampled_from([0.01, 0.5, 1.0]))
def test_mqar(seed: int, pairs: int, power: float) -> None:
    probe = AssociativeRecall(vocabulary=128, length=64, pairs=pairs, power=power)
    for tokens, labels in draw(probe, seed):
        keys, values = tokens[0 : 2 * pairs : 2], tokens[1 : 2 * pairs : 2]
        assert len(set(keys)) == len(set(values)) == pairs
        assert all(0 < key < 64 <= value for key, value in zip(keys, values, strict=True))
        asked = [place for place, label in enumerate(labels) if label != IGNORED]
        assert all(place >= 2 * pairs and place % 2 == 0 for place in asked)
        assert sorted(tokens[place] for place in asked) == sorted(keys)
        known = dict(zip(keys, values, strict=True))
        assert all(labels[place] == known[tokens[place]] for place in asked)


def test_mqar_asks_for_near_keys_most() -> None:
    probe = AssociativeRecall(vocabulary=64, length=256, pairs=1)
    _, labels = probe.draw(4000, np.random.default_rng(0), test=True)
    gaps = (np.nonzero(labels != IGNORED)[1] - 2) // 2
    chances = np.arange(1, 128) ** (0.01 - 1)
    assert (gaps == 0).mean() == pytest.approx(chances[0] / chances.sum(), abs=0.02)
    assert (gaps < 10).mean() == pytest.approx(chances[:10].sum() / chances.sum(), abs=0.03)


@settings(max_examples=25)
@given(SEEDS, st.sampled_from([InContextRecall(), NoisyRecall(), NoisyRecall(noise=0.8)]))
def test_recall_tells_the_value_of_every_key_that_came(seed: int, probe: InContextRecall) -> None:
    known = probe.vocabulary - probe.noises
    for tokens, labels in draw(probe, seed):
        assert len(tokens) == probe.length - 1
        came: dict[int, int] = {}
        # Labels are those of the next token: a pair's value is told at its key.
        for place in range(0, probe.length - 1, 2):
            key = tokens[place]
            if key >= known:
                assert labels[place] == IGNORED
                continue
            assert key < known // 2
            value = tokens[place + 1] if place + 1 < len(tokens) else labels[place]
            assert known // 2 <= value < known
            assert labels[place] == came.get(key, IGNORED)
            assert came.setdefault(key, value) == value
        assert labels[-1] != IGNORED
        assert all(label == IGNORED for label in labels[1::2])


def test_noise_is_as_frequent_as_it_says() -> None:
    tokens, _ = NoisyRecall(noise=0.4).draw(400, np.random.default_rng(0), test=True)
    assert (tokens[:, :-1:2] >= 16).mean() == pytest.approx(0.4, abs=0.02)


def test_training_tells_every_next_token() -> None:
    for probe in (InContextRecall(), NoisyRecall(), FuzzyRecall()):
        for tokens, labels in draw(probe, 0, test=False):
            assert labels[:-1] == tokens[1:]


@settings(max_examples=25)
@given(SEEDS, st.integers(1, 3), st.booleans())
def test_fuzzy_recall(seed: int, longest: int, test: bool) -> None:
    probe = FuzzyRecall(longest=longest)
    half = (probe.vocabulary - 1) // 2
    for tokens, labels in draw(probe, seed, test=test):
        assert len(tokens) == probe.length
        whole = [*tokens, labels[-1]]
        came: dict[tuple[int, ...], tuple[int, ...]] = {}
        pairs = _pairs(whole, half, probe.vocabulary - 1)
        for key, value in pairs:
            assert len(set(key)) == len(key) <= longest
            assert len(set(value)) == len(value) <= longest
            assert came.setdefault(key, value) == value
            assert not test or len(key) == longest
        assert pairs[-1][0] in [key for key, _ in pairs[:-1]]
        if test:
            told = [label for label in labels if label != IGNORED]
            seen: set[tuple[int, ...]] = set()
            expected: list[int] = []
            for key, value in pairs:
                expected += value if key in seen else ()
                seen.add(key)
            assert told == expected


def _pairs(
    tokens: list[int], half: int, filler: int
) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Keys and values, which take turns: tokens of the lower half, then of the upper."""
    runs: list[list[int]] = []
    for token in (t for t in tokens if t != filler):
        if not runs or (runs[-1][-1] < half) != (token < half):
            runs.append([])
        runs[-1].append(token)
    return [(tuple(k), tuple(v)) for k, v in zip(runs[::2], runs[1::2], strict=True)]


@settings(max_examples=25)
@given(SEEDS, st.integers(1, 16))
def test_selective_copying(seed: int, copied: int) -> None:
    probe = SelectiveCopying(length=64, copied=copied)
    blank, mark = probe.vocabulary - 2, probe.vocabulary - 1
    for tokens, labels in draw(probe, seed):
        text = [token for token in tokens if token < blank]
        assert labels == [IGNORED] * (64 - copied) + text
        assert len(text) == copied
        assert tokens[64 - copied - 1] == mark
        assert tokens[64 - copied :] == [blank] * copied
        assert tokens.count(mark) == 1


@given(SEEDS)
def test_compression(seed: int) -> None:
    for tokens, labels in draw(Compression(), seed):
        assert labels == tokens
        assert [token == 15 for token in tokens] == [False] * 31 + [True]


def test_memorised_facts_are_the_same_everywhere() -> None:
    probe = Memorisation()
    values = probe.values()
    assert len(set(values.tolist())) == len(values) == 127
    for tokens, labels in draw(probe, 1) + draw(probe, 2, test=False):
        assert all(token == 255 for token in tokens[1::2])
        assert labels[1::2] == [values[key] for key in tokens[0::2]]
        assert all(label == IGNORED for label in labels[0::2])
    assert (Memorisation(facts=1).values() != values).any()


@given(SEEDS, st.integers(1, 12))
def test_without_repetition(seed: int, count: int) -> None:
    found = without_repetition(np.random.default_rng(seed), 5, 12, count)
    assert found.shape == (5, count)
    assert all(len(set(row)) == count and set(row) <= set(range(12)) for row in found.tolist())


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        (AssociativeRecall, {"pairs": 17}),
        (AssociativeRecall, {"vocabulary": 16, "pairs": 8}),
        (SelectiveCopying, {"length": 33}),
        (NoisyRecall, {"vocabulary": 18}),
        (FuzzyRecall, {"length": 16}),
        (FuzzyRecall, {"vocabulary": 6}),
        (InContextRecall, {"length": 31}),
    ],
)
def test_settings_that_do_not_fit_are_refused(kind: type[Probe], settings: Any) -> None:
    with pytest.raises(ValidationError):
        kind(**settings)
