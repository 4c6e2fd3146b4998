"""The native pass against the plain Python reference, and that against counting by hand."""

from __future__ import annotations

import math

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openhearth.data.signals import SIGNALS, compute, reference, to_redpajama

# Texts that repeat words, break lines and end sentences far more often than random ones.
pieces = st.sampled_from(
    ["the", "The", "THE", "a1", "x_y", "don't", "...", ".", "!?", "#", "{", "}", "lorem ipsum",
     "JavaScript", "javascript", " ", "  ", "\t", "\n", "\n\n", "\x1c", "\x85", "word word"]
)  # fmt: skip
prose = st.lists(pieces, max_size=60).map("".join)
ascii_text = st.text(st.characters(max_codepoint=127), max_size=120)


def one(text: str) -> dict:
    return compute([text], native=False).to_pylist()[0]


@given(texts=st.lists(st.one_of(prose, ascii_text, st.text(max_size=80)), max_size=6))
@settings(max_examples=400, deadline=None)
def test_the_native_pass_equals_the_reference(texts: list[str]) -> None:
    assert compute(texts).equals(compute(texts, native=False))


def test_counts_by_hand() -> None:
    # Raw words: Don | ' | t | stop | : | A1 | {} | # | I | am | ...   (11 tokens)
    # Normalised words: dont, stop, a1, i, am                           (5 words, 13 characters)
    text = "Don't stop:\nA1 {} # I am...\n"
    row = one(text)
    assert row["rps_doc_word_count"] == 5
    assert row["rps_doc_mean_word_length"] == 13 / 5
    assert row["rps_doc_symbol_to_word_ratio"] == round(2 / 11, 8)  # one "#", one "..."
    assert row["rps_doc_frac_lines_end_with_ellipsis"] == 0.5
    assert row["rps_doc_frac_no_alph_words"] == round(1 - 6 / 11, 8)  # Don t stop A1 I am
    assert row["rps_doc_frac_all_caps_words"] == round(2 / 11, 8)  # A1 and I
    assert row["rps_doc_curly_bracket"] == round(2 / len(text), 8)
    assert row["rps_doc_frac_unique_words"] == 1.0
    assert row["rps_doc_unigram_entropy"] == round(math.log(5), 8)
    assert row["rps_doc_stop_word_fraction"] == round(1 / 11, 8)  # am
    assert row["rps_lines_num_words"] == [2, 3]
    assert row["rps_lines_uppercase_letter_fraction"] == [round(1 / 12, 8), round(2 / 16, 8)]
    assert row["rps_lines_ending_with_terminal_punctution_mark"] == [0, 1]


def test_repeated_ngrams_by_hand() -> None:
    # "a bb" three times: the top 2-gram has 3 characters, 3 * 3 of 10 in all; "c" once.
    assert one("a bb a bb a bb c")["rps_doc_frac_chars_top_2gram"] == 0.9
    # The 5-gram "a b c d e" twice covers ten of the eleven one-letter words.
    assert one("a b c d e x a b c d e")["rps_doc_frac_chars_dupe_5grams"] == round(10 / 11, 8)
    assert one("a b c d e x a b c d e")["rps_doc_frac_chars_dupe_6grams"] == 0.0


def test_unicode_by_hand() -> None:
    row = one("\u2022 Caf\u00e9 \u201cyes!\u201d\n\u2026\n")
    assert row["rps_lines_start_with_bulletpoint"] == [1, 0]
    assert row["rps_lines_ending_with_terminal_punctution_mark"] == [1, 0]  # U+201D counts
    # Normalised: "• café “yes” …" with e and its accent apart, so 1 + 5 + 5 + 1 characters.
    assert row["rps_doc_mean_word_length"] == 12 / 4
    assert row["rps_doc_frac_lines_end_with_ellipsis"] == 0.5


def test_an_empty_text_has_the_references_edge_values() -> None:
    row = one("")
    assert row["rps_doc_word_count"] == 0
    assert row["rps_doc_mean_word_length"] is None
    assert row["rps_doc_frac_unique_words"] is None
    assert row["rps_doc_stop_word_fraction"] == 0
    assert row["rps_lines_num_words"] == []


@given(text=prose)
def test_the_published_form_covers_the_text(text: str) -> None:
    published = to_redpajama(text, one(text))
    assert set(published) == set(SIGNALS)
    assert published["rps_doc_word_count"][0][:2] == [0, len(text)]
    spans = [tuple(entry[:2]) for entry in published["rps_lines_num_words"]]
    assert "".join(text[a:b] for a, b in spans) == text
    assert spans == reference.line_spans(text)


def test_columns_have_types_that_join() -> None:
    table = compute(["one", ""])
    assert table.num_rows == 2
    assert table.schema.field("rps_doc_word_count").type == pa.float64()
    assert table.schema.field("rps_lines_num_words").type == pa.list_(pa.float64())


def test_no_texts_give_empty_columns() -> None:
    assert compute([]).num_rows == 0
    assert compute([]).column_names == list(SIGNALS)


@pytest.mark.parametrize("native", [True, False])
def test_surrogates_do_not_end_the_run(native: bool) -> None:
    assert compute(["a\ud800b"], native=native).num_rows == 1
