"""C4's, RefinedWeb's and Dolma's signals, counted by hand."""

from __future__ import annotations

import pytest

from tests.data.signals.measure import measure


@pytest.mark.parametrize(
    ("line", "terminal"),
    [
        ("It ends.", 1),
        ('It "ends"', 1),
        ("It ends\u201d", 0),
        ("It ends...", 0),
        ("It ends.[1][edit]", 1),
        ("It ends.[citation needed] ", 1),
        ("It ends.[note]", 0),
        ("[3]", 0),
        ("No end", 0),
        ("", 0),
    ],
)
def test_c4_ends_of_lines(line: str, terminal: float) -> None:
    assert measure(f"{line}\n", "c4")["c4_lines_terminal"] == [terminal]


def test_c4_words_of_lines() -> None:
    text = (
        "One two three. Four? \u201cFive.\u201d\nTERMS of Use\njavaScript { }\nLorem Ipsum\n\n"
        + "x" * 1001
    )
    row = measure(text, "c4")
    assert row["c4_lines_num_words"] == [5, 3, 3, 2, 0, 1]
    assert row["c4_lines_max_word_length"] == [7, 5, 10, 5, 0, 1001]
    assert row["c4_lines_policy"] == [0, 1, 0, 0, 0, 0]
    assert row["c4_lines_javascript"] == [0, 0, 1, 0, 0, 0]
    assert row["c4_lines_curly_bracket"] == [0, 0, 1, 0, 0, 0]
    assert row["c4_lines_lorem_ipsum"] == [0, 0, 0, 1, 0, 0]
    assert row["c4_lines_num_sentences"] == [3, 1, 1, 1, 0, 1]


@pytest.mark.parametrize(
    ("line", "counter"),
    [
        ("3 likes", 1),
        ("1.5K Views!", 1),
        ("(12,000\u00a0followers)", 1),
        ("likes 3", 0),
        ("3 likes of hers", 0),
        ("about 3 likes", 0),
        ("3likes", 0),
    ],
)
def test_refinedweb_counters(line: str, counter: float) -> None:
    assert measure(line, "refinedweb")["refinedweb_lines_counter"] == [counter]


@pytest.mark.parametrize(
    ("line", "banned"),
    [
        ("Items in cart", 1),
        ("  sign-in  ", 1),
        ("Read more...", 1),
        ("read more now", 0),
        ("Read more", 0),
        ("Sign-in here", 0),
    ],
)
def test_refinedweb_banned_lines(line: str, banned: float) -> None:
    assert measure(line, "refinedweb")["refinedweb_lines_banned"] == [banned]


def test_refinedweb() -> None:
    # Words: The | cat | ... | * | 42 | AND ; counted are those that begin with a letter or digit.
    row = measure("The cat ...\n\n * 42 AND\n", "refinedweb")
    assert row["refinedweb_word_count"] == 4
    assert row["refinedweb_mean_word_length"] == 15 / 6
    assert row["refinedweb_symbol_ratio"] == round(1 / 6, 8)
    assert row["refinedweb_no_alphabetic_words"] == 0.5
    assert row["refinedweb_stop_words"] == 2  # in any case
    assert row["refinedweb_bullet_lines"] == row["refinedweb_ellipsis_lines"] == 0.5
    assert row["refinedweb_lines_uppercase"] == [round(1 / 11, 8), 0, round(3 / 9, 8)]
    assert row["refinedweb_lines_numeric"] == [0, 0, round(2 / 9, 8)]
    assert row["refinedweb_lines_num_words"] == [3, None, 3]
    assert row["refinedweb_lines_words"] == [2, 0, 2]


def test_refinedweb_numbers_are_digits() -> None:
    # ASCII's, a superscript and an Arabic one are; a fraction, a Roman and a Chinese number not.
    row = measure("1\u00b2\u0663\u00bd\u2167\u4e09", "refinedweb", "rps")
    assert row["refinedweb_lines_numeric"] == [0.5]
    assert row["rps_lines_numerical_chars_fraction"] == [1]  # all are numeric there


def test_refinedweb_duplicates_count_all_that_have_an_equal() -> None:
    row = measure("a\nbb\n a \n\na\nbb", "refinedweb")
    assert row["refinedweb_dup_lines"] == 1
    assert row["refinedweb_dup_paras"] == 0
    row = measure("a\n\nbb\n\n a", "refinedweb")
    assert row["refinedweb_dup_paras"] == round(2 / 3, 8)
    assert row["refinedweb_dup_para_chars"] == 0.5


def test_dolma() -> None:
    # Words: The | cat# | sat\u2026 | - | of. Lines: two, and an empty one after the last newline.
    row = measure("The cat# sat\u2026\n- of\n", "dolma")
    assert row["dolma_word_count"] == 5
    assert row["dolma_median_word_length"] == 3
    assert row["dolma_symbol_ratio"] == 2 / 5
    assert row["dolma_alphabetic_words"] == 4 / 5
    assert row["dolma_required_words"] == 1  # "The" is none
    assert row["dolma_bullet_lines"] == row["dolma_ellipsis_lines"] == round(1 / 3, 8)


def test_dolma_repetitions() -> None:
    row = measure("a b\na b\n\n", "dolma")
    assert row["dolma_dup_lines"] == 1  # twice "a b", and two empty ones
    assert row["dolma_dup_line_chars"] == 6 / 4  # of the characters of words
    assert row["dolma_top_2gram"] == 1  # 2 * 2 / 4
    assert row["dolma_dupe_5grams"] is None  # there are none
    # Of seven 5-grams two are equal, all of the same length.
    assert measure("a b c d e x a b c d e", "dolma")["dolma_dupe_5grams"] == round(2 / 7, 8)


def test_medians_of_long_words() -> None:
    for lengths in ([1, 2], [70, 90, 80], [62, 63, 64, 65], [1, 100]):
        text = " ".join("x" * n for n in lengths)
        lengths = sorted(lengths)
        middle = (lengths[(len(lengths) - 1) // 2] + lengths[len(lengths) // 2]) / 2
        assert measure(text, "dolma")["dolma_median_word_length"] == middle
