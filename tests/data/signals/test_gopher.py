"""Gopher's and FineWeb's signals, and the tokens that they count, by hand."""

from __future__ import annotations

import pytest

from openhearth.data.signals.tokens import tokens
from tests.data.signals.measure import measure


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("The end.", "The|end|."),
        ("Don't, we've; it's", "Do|n't|,|we|'ve|;|it|'s"),
        ("don\u2019t", "do|n\u2019t"),
        ("\u201cYes!\u201d (no)", "\u201c|Yes|!|\u201d|(|no|)"),
        ("well-known 10-year a--b", "well|-|known|10|-|year|a|--|b"),
        ("e.g. U.S. end.Next", "e.g|.|U.S.|end|.|Next"),
        ("wait... no..", "wait|...|no|.."),
        ("1,000 3.14 1-2 2+2 +5 50%", "1,000|3.14|1|-|2|2|+|2|+5|50|%"),
        ("a,b A/b x=y 12:30", "a|,|b|A|/|b|x|=|y|12:30"),
        ("$5 C++ #1", "$|5|C++|#|1"),
        ("...", "..."),
        ("\u2026so", "\u2026|so"),
        ("  ", ""),
    ],
)
def test_tokens(text: str, wanted: str) -> None:
    assert "|".join(tokens(text)) == wanted


def test_words_and_symbols() -> None:
    # Tokens: The | cat | sat | ... | # | 3 | . ; words are The, cat, sat and 3.
    row = measure("The cat sat...\n# 3.\n", "gopher")
    assert row["gopher_word_count"] == 4
    assert row["gopher_mean_word_length"] == 10 / 4
    assert row["gopher_hash_ratio"] == round(1 / 7, 8)
    assert row["gopher_ellipsis_ratio"] == round(1 / 7, 8)
    assert row["gopher_alphabetic_words"] == round(3 / 7, 8)
    assert row["gopher_ellipsis_lines"] == 0.5
    assert row["gopher_stop_words"] == 0  # "The" is none


def test_stop_words_count_once() -> None:
    assert measure("the the of and of", "gopher")["gopher_stop_words"] == 3


def test_bullet_lines() -> None:
    text = "\u2022 one\n  - two\n* three\n\u2023 four\n"
    assert measure(text, "gopher")["gopher_bullet_lines"] == 0.5


def test_top_ngrams_count_spaces_and_single_ones() -> None:
    # "a bb" twice: 4 characters with the space, of 14 in all.
    assert measure("a bb, a bb, cc", "gopher")["gopher_top_2gram"] == round(2 * 4 / 14, 8)
    assert measure("aa b", "gopher")["gopher_top_2gram"] == 1  # once is enough
    assert measure("aa", "gopher")["gopher_top_2gram"] == 0


def test_duplicate_ngrams_are_found_greedily() -> None:
    # The second "a b c d e" is found, and skipped whole: 5 characters of 21.
    row = measure("a b c d e x a b c d e", "gopher")
    assert row["gopher_dupe_5grams"] == round(5 / 21, 8)
    # Of ten a the first n-gram is new, the second is found, and four words are left.
    assert measure("a " * 10, "gopher")["gopher_dupe_5grams"] == round(5 / 20, 8)


def test_fineweb() -> None:
    text = (
        "A line that ends.\nNo end\n\n   \nA line of more than thirty letters\nNo end\nWhat?\u3002"
    )
    row = measure(text, "fineweb")
    assert row["fineweb_terminal_lines"] == round(2 / 5, 8)  # of lines that are not blank
    assert row["fineweb_short_lines"] == round(4 / 5, 8)
    assert row["fineweb_dup_line_chars"] == round(6 / (len(text) - 6), 8)


def test_fineweb_looks_at_the_very_last_character() -> None:
    assert measure("End. \n", "fineweb")["fineweb_terminal_lines"] == 0
    assert measure("End.\r\n", "fineweb")["fineweb_terminal_lines"] == 0


def test_texts_without_words() -> None:
    for text in ("", "\n", "  \n"):
        row = measure(text, "gopher", "fineweb")
        assert row["gopher_word_count"] == 0
        assert row["gopher_mean_word_length"] is None
        assert row["fineweb_terminal_lines"] is None
