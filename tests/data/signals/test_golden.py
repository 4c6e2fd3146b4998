"""Our numbers are those of the projects that the signals come from. See `golden/README.md`."""

from __future__ import annotations

import importlib
from typing import Any

import pytest

from openhearth.data.signals import FAMILIES, LINE_SIGNALS, Resources, compute, native_available
from openhearth.data.signals.published import RPV2
from openhearth.data.signals.table import signal_table
from openhearth.data.signals.tokens import tokens
from tests.data.signals import golden_set
from tests.data.signals.golden.peers import digest

EXACT = 1e-8
DOLMA = {
    "word_count": "dolma_word_count",
    "median_word_length": "dolma_median_word_length",
    "symbol_to_word_ratio": "dolma_symbol_ratio",
    "fraction_of_words_with_alpha_character": "dolma_alphabetic_words",
    "required_word_count": "dolma_required_words",
    "fraction_of_lines_starting_with_bullet_point": "dolma_bullet_lines",
    "fraction_of_lines_ending_with_ellipsis": "dolma_ellipsis_lines",
    "fraction_of_duplicate_lines": "dolma_dup_lines",
    "fraction_of_characters_in_duplicate_lines": "dolma_dup_line_chars",
    **{f"fraction_of_characters_in_most_common_{n}grams": f"dolma_top_{n}gram" for n in (2, 3, 4)},
    **{
        f"fraction_of_characters_in_duplicate_{n}grams": f"dolma_dupe_{n}grams"
        for n in range(5, 11)
    },
}

natively = pytest.mark.skipif(not native_available(), reason="built without a compiler")
ways = pytest.mark.parametrize("native", [pytest.param(True, marks=natively), False])


@pytest.fixture
def way(native: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not native:
        module = importlib.import_module("openhearth.data.signals.compute")
        monkeypatch.setattr(module, "_native", None)


def is_near(value: float | None, wanted: float | None, distance: float = EXACT) -> bool:
    return value is wanted is None or (
        value is not None and wanted is not None and abs(value - wanted) <= distance
    )


@ways
@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("name", RPV2)
def test_redpajama_v2(name: str, native: bool) -> None:
    found = signal_table(golden_set.documents(), [name], golden_set.resources())
    for record, value in zip(golden_set.published(), found[name].to_pylist(), strict=True):
        wanted = [score for start, end, score in record["quality_signals"][name]]
        if name in LINE_SIGNALS and wanted == [None]:  # of an empty text
            wanted = []
        values = value if name in LINE_SIGNALS else [value]
        assert len(values) == len(wanted), record["id"]
        assert all(map(is_near, values, wanted)), record["id"]


@ways
@pytest.mark.usefixtures("way")
def test_lines_are_where_redpajama_v2_has_them(native: bool) -> None:
    table = signal_table(golden_set.documents(), ["rps_lines_num_words"])
    for record, length, ends in zip(
        golden_set.published(),
        *(table[n].to_pylist() for n in ("length", "line_ends")),
        strict=True,
    ):
        spans = record["quality_signals"]["rps_lines_num_words"]
        assert [span[:2] for span in spans] == [
            list(s) for s in zip([0, *ends], ends, strict=False)
        ]
        assert record["quality_signals"]["rps_doc_word_count"][0][:2] == [0, length]


@ways
@pytest.mark.parametrize("theirs", DOLMA)
def test_dolma(theirs: str, native: bool) -> None:
    name = DOLMA[theirs]
    found = compute(golden_set.documents()["text"], [name], native=native)
    met = 0
    for record, value in zip(golden_set.dolma(), found[name].to_pylist(), strict=True):
        for _, _, score in record["attributes"].get(f"peer__gopher_v1__{theirs}", ()):
            met += 1
            if value is None:  # Dolma divides by 1 where there is nothing
                assert record["attributes"]["peer__gopher_v1__word_count"][0][2] == 0
            else:
                assert is_near(value, score, 0.5e-5 + EXACT), record["id"]  # five decimals
    assert met > 20


@ways
def test_datatrove(native: bool) -> None:
    batch, golden = golden_set.documents(), golden_set.datatrove()
    table = compute(batch["text"], ("gopher", "fineweb", "oh"), native=native)
    same_words = compared = 0
    for i, (identity, text) in enumerate(zip(batch["id"], batch["text"].to_pylist(), strict=True)):
        theirs = dict(golden.get(identity.as_py(), {}))
        is_same = theirs.pop("words", "") == digest(tokens(text))
        same_words += is_same
        for name, wanted in theirs.items():
            if is_same or name.startswith(("fineweb", "oh_dup")):
                value = table[name][i].as_py()
                assert is_near(value, wanted), (text, name)
                compared += 1
    # Of 126 English documents; the others have abbreviations, emoticons, URLs and other scripts.
    assert same_words >= 100
    assert compared > 1500


def test_documents_are_those_that_were_given() -> None:
    """No golden value is of a document that was read differently."""
    ids = golden_set.documents()["id"].to_pylist()
    assert ids == [record["id"] for record in golden_set.published()]
    assert ids == [record["id"] for record in golden_set.dolma()]
    assert set(golden_set.datatrove()) <= set(ids)


def test_every_family_is_defined_for_every_document() -> None:
    table: Any = signal_table(golden_set.documents(), FAMILIES, Resources())
    assert table.num_rows == len(golden_set.published())
