"""RedPajama-V2's signals, counted by hand."""

from __future__ import annotations

import math

import pytest

from openhearth.data.signals import Lists, compute, expand
from openhearth.errors import UsageError
from tests.data.signals.measure import measure


def test_counts() -> None:
    # Raw words: Don | ' | t | stop | : | A1 | {} | # | I | am | ...   (11)
    # Normalised words: dont, stop, a1, i, am                         (5 words, 13 characters)
    text = "Don't stop:\nA1 {} # I am...\n"
    row = measure(text, "rps")
    assert row["length"] == len(text) == 28
    assert row["line_ends"] == [12, 28]
    assert row["rps_doc_word_count"] == 5
    assert row["rps_doc_mean_word_length"] == 13 / 5
    assert row["rps_doc_symbol_to_word_ratio"] == round(2 / 11, 8)  # one "#", one "..."
    assert row["rps_doc_frac_lines_end_with_ellipsis"] == 0.5
    assert row["rps_doc_frac_no_alph_words"] == round(1 - 6 / 11, 8)  # Don t stop A1 I am
    assert row["rps_doc_frac_all_caps_words"] == round(2 / 11, 8)  # A1 and I
    assert row["rps_doc_curly_bracket"] == round(2 / 28, 8)
    assert row["rps_doc_frac_unique_words"] == 1.0
    assert row["rps_doc_unigram_entropy"] == round(math.log(5), 8)
    assert row["rps_doc_stop_word_fraction"] == round(1 / 11, 8)  # am: "I" is written "i" there
    assert row["rps_lines_num_words"] == [2, 3]
    assert row["rps_lines_uppercase_letter_fraction"] == [round(1 / 12, 8), round(2 / 16, 8)]
    assert row["rps_lines_numerical_chars_fraction"] == [0, round(1 / 7, 8)]  # "a1 i am"
    assert row["rps_lines_ending_with_terminal_punctution_mark"] == [0, 1]


def test_an_empty_text() -> None:
    row = measure("", "rps")
    undefined = {name for name, value in row.items() if value is None}
    assert undefined == {
        "rps_doc_mean_word_length",
        "rps_doc_symbol_to_word_ratio",
        "rps_doc_frac_lines_end_with_ellipsis",
        "rps_doc_frac_no_alph_words",
        "rps_doc_frac_unique_words",
        "rps_doc_unigram_entropy",
        "rps_doc_frac_all_caps_words",
    }
    assert {value for name, value in row.items() if name.startswith("rps_doc")} == {0, None}
    assert all(value == [] for name, value in row.items() if name.startswith("rps_lines"))


def test_punctuation_alone_has_raw_words_and_no_others() -> None:
    row = measure("?! --- ...", "rps")
    assert row["rps_doc_word_count"] == 0
    assert row["rps_doc_stop_word_fraction"] == 0
    assert row["rps_doc_frac_no_alph_words"] == 1
    assert row["rps_doc_symbol_to_word_ratio"] == round(1 / 3, 8)
    assert row["rps_doc_mean_word_length"] is None


def test_entropy_of_words_that_are_not_equally_often() -> None:
    # a a b: -(2/3 ln 2/3 + 1/3 ln 1/3)
    wanted = -(2 / 3 * math.log(2 / 3) + 1 / 3 * math.log(1 / 3))
    assert measure("A a, b.", "rps")["rps_doc_unigram_entropy"] == round(wanted, 8)


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("", 0),
        ("...", 0),
        ("one", 1),
        ("one. two! three?", 3),
        ("one\ntwo\nthree", 1),  # a newline ends no sentence
        ("3.14", 2),
        ("!? one ... two", 2),
        ("one\u3002two", 1),  # nor does any mark but . ! ?
    ],
)
def test_sentences(text: str, sentences: int) -> None:
    assert measure(text, "rps_doc_num_sentences")["rps_doc_num_sentences"] == sentences


def test_top_ngrams() -> None:
    # "a bb" three times: 3 characters of 10, thrice. Overlaps count twice.
    assert measure("a bb a bb a bb c", "rps")["rps_doc_frac_chars_top_2gram"] == 0.9
    assert measure("a a a", "rps")["rps_doc_frac_chars_top_2gram"] == round(4 / 3, 8)
    # Of two that are equally often the first that is met: 3 characters, not 4.
    text = "a b c x dd d d y a b c z dd d d"
    assert measure(text, "rps")["rps_doc_frac_chars_top_3gram"] == round(3 * 2 / 17, 8)
    assert measure("a b c d", "rps")["rps_doc_frac_chars_top_2gram"] == 0  # none comes twice


def test_duplicate_ngrams() -> None:
    # "a b c d e" twice covers ten of eleven one-letter words, the first time counted too.
    row = measure("a b c d e x a b c d e", "rps")
    assert row["rps_doc_frac_chars_dupe_5grams"] == round(10 / 11, 8)
    assert row["rps_doc_frac_chars_dupe_6grams"] == 0
    # What several n-grams cover counts once.
    assert measure("a " * 12, "rps")["rps_doc_frac_chars_dupe_5grams"] == 1
    assert measure("a b c d", "rps")["rps_doc_frac_chars_dupe_5grams"] == 0


def test_bad_words() -> None:
    lists = {"en": Lists(frozenset(), frozenset(["bad", "very bad", "b*d"]))}

    def count(text: str, language: str = "en") -> float:
        name = "rps_doc_ldnoobw_words"
        return measure(text, name, lists=lists, languages=[language])[name]

    assert count("Bad, bad... BAD") == 3
    assert count("A very, bad day") == 2  # the entry of one word and that of two
    assert count("badly b*d bd") == 0  # nothing normalised has a star
    assert count("bad", "xx") == 0  # a language without lists


def test_stop_words_are_raw_words() -> None:
    lists = {"en": Lists(frozenset(["the", "don't", "t"]))}
    row = measure("The the don't", "rps_doc_stop_word_fraction", lists=lists)
    assert row["rps_doc_stop_word_fraction"] == round(2 / 5, 8)  # The, the, don, ', t


def test_lorem_ipsum() -> None:
    row = measure("Lorem, ipsum lorem-ipsum LOREM\nIPSUM", "rps_doc_lorem_ipsum")
    # "lorem ipsum loremipsum lorem ipsum" has 34 characters.
    assert row["rps_doc_lorem_ipsum"] == round(2 / 34, 8)


def test_lines() -> None:
    row = measure(
        "\u2022 Caf\u00e9 \u201cyes!\u201d\n\u2026\n- no \n\n \u2013 12 JavaScript, javascript",
        "rps",
    )
    assert row["rps_lines_start_with_bulletpoint"] == [1, 0, 0, 0, 1]
    assert row["rps_lines_ending_with_terminal_punctution_mark"] == [1, 0, 0, 0, 0]  # U+201D counts
    assert row["rps_lines_javascript_counts"] == [0, 0, 0, 0, 2]
    # A dash and "12 javascript javascript": 26 characters.
    assert row["rps_lines_numerical_chars_fraction"] == [0, 0, 0, 0, round(2 / 26, 8)]
    assert row["rps_doc_frac_lines_end_with_ellipsis"] == 0.2


def test_accents_stand_apart() -> None:
    # Normalised: "cafe" and its accent, twice the same word.
    row = measure("Caf\u00e9 cafe\u0301", "rps")
    assert row["rps_doc_mean_word_length"] == 5
    assert row["rps_doc_frac_unique_words"] == 0.5


def test_families_and_names() -> None:
    names = expand(["rps_lines_num_words", "fineweb", "rps_doc_word_count"])
    assert names == [
        "rps_doc_word_count",
        "fineweb_terminal_lines",
        "fineweb_short_lines",
        "fineweb_dup_line_chars",
        "rps_lines_num_words",
    ]
    with pytest.raises(UsageError, match="no_such"):
        compute(["x"], ["no_such"])
