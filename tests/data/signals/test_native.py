"""The native pass says the same as plain Python, of every signal and every text."""

from __future__ import annotations

from random import Random

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openhearth.data.signals import (
    DOCUMENT_SIGNALS,
    FAMILIES,
    LINE_SIGNALS,
    compute,
    native_available,
)
from openhearth.data.signals.compute import feature_buckets
from openhearth.data.texts import buffers
from tests.data.signals.deep import smallest
from tests.data.signals.texts import LISTS, any_text, differences, random_text

pytestmark = pytest.mark.skipif(not native_available(), reason="built without a compiler")


@given(texts=st.lists(any_text, max_size=5))
@settings(deadline=None)
def test_both_say_the_same_of_any_texts(texts: list[str]) -> None:
    assert differences(texts) == []


@pytest.mark.parametrize("seed", range(6))
def test_both_say_the_same_of_texts_that_look_for_trouble(seed: int) -> None:
    random = Random(seed)
    assert differences([random_text(random) for _ in range(200)]) == []


@given(names=st.lists(st.sampled_from((*DOCUMENT_SIGNALS, *LINE_SIGNALS)), min_size=1, unique=True))
@settings(deadline=None, max_examples=60)
def test_a_signal_is_the_same_whatever_else_is_asked_for(names: list[str]) -> None:
    texts = [random_text(Random(seed)) for seed in range(8)]
    everything = compute(texts, tuple(FAMILIES), lists=LISTS)
    some = compute(texts, names, lists=LISTS)
    assert set(some.column_names) == {"length", "line_ends", *names}
    assert some.equals(everything.select(some.column_names))


def test_characters_alone_and_in_words() -> None:
    """Those of Europe, and a sample of each plane, so that no table has a wrong entry."""
    numbers = [*range(0x250), *range(0x300, 0x530), *range(0x530, 0x110000, 331)]
    characters = [chr(i) for i in numbers if not 0xD800 <= i <= 0xDFFF]
    texts = [
        " ".join(f"{c} a{c} {c}b A{c}\u03a3" for c in characters[i : i + 50])
        for i in range(0, len(characters), 50)
    ]
    assert differences(texts) == []


def test_an_array_that_begins_in_the_middle_of_another() -> None:
    texts = [f"text {i} \u00e9" for i in range(9)]
    whole = pa.array(["before", *texts, "after"])
    for form in (pa.string(), pa.large_string()):
        part = whole.cast(form).slice(1, 9)
        assert compute(part).equals(compute(texts))


@given(parts=st.lists(st.binary(max_size=30), min_size=1, max_size=6))
@settings(deadline=None)
def test_bytes_that_are_no_utf8_are_survived(parts: list[bytes]) -> None:
    """Arrow does not look at the strings of a file; `native/fuzz` tries this much harder."""
    strings = pa.array(parts, pa.binary()).view(pa.string())
    table = compute(strings, tuple(FAMILIES), lists=LISTS)
    assert table.num_rows == len(parts)
    assert table["length"].to_pylist()[0] <= len(parts[0])


def test_no_texts() -> None:
    for native in (True, False):
        table = compute([], tuple(FAMILIES), native=native)
        assert table.num_rows == 0
        assert table.column_names == ["length", "line_ends", *DOCUMENT_SIGNALS, *LINE_SIGNALS]


def test_buffers_are_not_copied() -> None:
    array = pa.array(["one", "", "three"])
    data, places = buffers(array)
    assert data.ctypes.data == array.buffers()[2].address
    assert places.tolist() == [0, 3, 3, 8]


@given(data=st.binary(max_size=100))
def test_the_hash_of_features_is_xxh64(data: bytes) -> None:
    import numpy as np
    import xxhash

    from openhearth import _native

    assert _native.xxh64(np.frombuffer(data, np.uint8)) == xxhash.xxh64_intdigest(data)


def test_features_are_words_and_pairs() -> None:
    one, two, three = (feature_buckets([word], 1 << 64)[0] for word in ("a", "b", "c"))
    found = feature_buckets(["a", "b", "c"], 1 << 64)
    assert [found[0], found[1], found[3]] == [one, two, three]
    assert found[2] == feature_buckets(["a", "b"], 1 << 64)[2]
    assert len(set(found)) == 5


def test_a_difference_is_made_small(monkeypatch: pytest.MonkeyPatch) -> None:
    def seven(texts: list[str]) -> list[tuple[int, str]]:
        return [(0, "a_signal")] if "7" in texts[0] else []

    monkeypatch.setattr("tests.data.signals.deep.differences", seven)
    assert smallest("many words, 17 of them, and more", "a_signal") == "7"
