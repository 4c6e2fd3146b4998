"""Signatures: RedPajama-V2's to the byte, native as plain, and as alike as the texts are."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import datasketch
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openhearth.data.dedup.minhash import (
    band_bytes,
    band_keys,
    coefficients,
    estimate,
    signatures,
)
from openhearth.data.dedup.presets import PRESETS, Preset, near, preset_of
from openhearth.data.ngram_index import words_of
from openhearth.errors import UsageError
from tests.data.dedup.texts import EDGES, varied

# What RedPajama-V2's own MinHash (togethercomputer/RedPajama-Data, app/src/dedupe, with seed 42)
# gives for the normalised words of EDGES: SHA-256 of all bands of each similarity.
GOLDEN = json.loads((Path(__file__).parent / "redpajama.json").read_text())

some_texts = st.lists(
    st.one_of(
        st.text(max_size=200),
        st.lists(
            st.sampled_from(
                ["a", "b", "c", "D,", "e.", "f'", "\u0130", "\xe9", "\u03a3", "\ud55c"]
            ),
            max_size=60,
        ).map(" ".join),
        st.sampled_from(EDGES),
    ),
    max_size=8,
)
presets = st.sampled_from(list(PRESETS.values())) | st.builds(
    Preset,
    words=st.integers(1, 7),
    permutations=st.integers(12, 40),
    bands=st.integers(1, 4),
    rows=st.integers(1, 3),
    hash=st.sampled_from(["sha1", "runs"]),
)


def sets_of(text: str, n: int) -> set[tuple[str, ...]]:
    words, _ = words_of(text)
    return {tuple(words[i : i + n]) for i in range(len(words) - n + 1)}


def jaccard(one: str, other: str, n: int) -> float:
    a, b = sets_of(one, n), sets_of(other, n)
    return len(a & b) / len(a | b)


def test_permutations_are_redpajamas() -> None:
    digest = hashlib.sha256(np.stack(coefficients(PRESETS["rpv2"])).tobytes()).hexdigest()
    assert digest == GOLDEN["checksum"]


@pytest.mark.parametrize("native", [True, False])
@pytest.mark.parametrize("similarity", ["0.7", "0.8", "0.9", "1.0"])
def test_signatures_are_redpajamas_to_the_byte(similarity: str, native: bool) -> None:
    preset = PRESETS[f"rpv2-{similarity}"]
    found, valid = signatures(pa.array(EDGES), preset, native=native)
    assert valid.tolist() == [golden is not None for golden in GOLDEN["signatures"]]
    for bands, golden in zip(band_bytes(found, preset), GOLDEN["signatures"], strict=True):
        if golden is not None:
            digest = hashlib.sha256(b"".join(bands)).hexdigest()
            assert digest == golden[f"signature_sim{similarity}"]


@given(some_texts, presets, st.sampled_from([pa.string(), pa.large_string()]))
def test_native_is_as_plain(texts: list[str], preset: Preset, kind: pa.DataType) -> None:
    array = pa.array(["", *texts, None], kind)[1:]
    fast, plain = (signatures(array, preset, native=native) for native in (True, False))
    assert np.array_equal(fast[0], plain[0])
    assert np.array_equal(fast[1], plain[1])
    keys = [band_keys(fast[0], preset, native=native) for native in (True, False)]
    assert np.array_equal(*keys)


@given(st.binary(max_size=300))
def test_sha1_is_hashlibs_on_every_processor(data: bytes) -> None:
    native = pytest.importorskip("openhearth._native")
    first = int.from_bytes(hashlib.sha1(data).digest()[:4], "little")
    assert native.sha1_firsts(np.frombuffer(data, np.uint8)) == (first, first)


def test_keys_are_equal_where_bytes_are() -> None:
    preset = PRESETS["rpv2"]
    texts = [text for k in range(20) for text in varied(200, k, seed=k)]
    found, _ = signatures(pa.array(texts), preset)
    keys, bands = band_keys(found, preset), band_bytes(found, preset)
    for i in range(len(texts)):
        for j in range(i):
            equal = [a == b for a, b in zip(bands[i], bands[j], strict=True)]
            assert (keys[i] == keys[j]).tolist() == equal
    assert len(np.unique(keys[0])) == preset.bands  # each band has keys of its own


@pytest.mark.parametrize("name", ["rpv2", "hearth"])
def test_estimates_are_as_near_to_the_truth_as_theory_says(name: str) -> None:
    """The error of an estimate has mean 0 and variance s (1 - s) / permutations."""
    preset = PRESETS[name]
    errors = []
    for seed in range(300):
        pair = varied(150 + seed, 1 + seed % 23, seed)
        found, _ = signatures(pa.array(pair), preset)
        truth = jaccard(*pair, preset.words)
        if 0.05 < truth < 0.95:
            spread = (truth * (1 - truth) / preset.permutations) ** 0.5
            errors.append((estimate(*found) - truth) / spread)
    assert len(errors) > 200
    # Of n errors the mean is normal with a deviation of n^-1/2, and the variance of (2/n)^1/2.
    assert abs(np.mean(errors)) < 4 / len(errors) ** 0.5
    assert abs(np.var(errors) - 1) < 5 * (2 / len(errors)) ** 0.5


def test_estimates_agree_with_those_of_datasketch() -> None:
    """Its hashes and permutations are others, so only what both estimate can be compared."""
    preset = PRESETS["hearth"]
    ours, theirs = [], []
    for changed in range(1, 40):
        pair = varied(300, changed, seed=changed)
        ours.append(estimate(*signatures(pa.array(pair), preset)[0]))
        sketches = [datasketch.MinHash(num_perm=preset.permutations) for _ in pair]
        for sketch, text in zip(sketches, pair, strict=True):
            sketch.update_batch([" ".join(run).encode() for run in sets_of(text, preset.words)])
        theirs.append(sketches[0].jaccard(sketches[1]))
    difference = np.array(ours) - np.array(theirs)
    # Each estimate deviates by at most sqrt(1/4/128) = 0.044; the mean of 39 differences by 0.01.
    assert abs(difference.mean()) < 4 * 0.01
    assert abs(difference).max() < 4 * np.sqrt(2) * 0.044


def test_presets_are_known_by_name() -> None:
    assert preset_of("fineweb").chance(0.8) == pytest.approx(0.924, abs=5e-4)  # its paper says so
    assert near(0.8, 13) == PRESETS["slimpajama"]
    with pytest.raises(UsageError, match="use one of rpv2"):
        preset_of("rpv3")
    with pytest.raises(UsageError, match=r"0\.7, 0\.8, 0\.9"):
        near(0.75, 5)
    with pytest.raises(UsageError, match="bands times rows"):
        Preset(words=5, permutations=10, bands=4, rows=3, hash="runs")
