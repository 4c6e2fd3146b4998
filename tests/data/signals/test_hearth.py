"""OpenHearth's own signals, counted by hand."""

from __future__ import annotations

import random

import pytest

from tests.data.signals.measure import measure


def test_duplicate_lines() -> None:
    # Lines between runs of newlines: a, bb, a, "" (the last newline ends an empty one).
    row = measure("a\nbb\n\n\na\n", "oh")
    assert row["oh_dup_line_frac"] == 1 / 4
    assert row["oh_dup_line_char_frac"] == round(1 / 9, 8)


def test_duplicate_paragraphs() -> None:
    # Paragraphs between runs of two newlines or more: "a\nb", "c", "a\nb".
    row = measure("\n\na\nb\n\nc\n\n\na\nb\n", "oh")
    assert row["oh_dup_para_frac"] == round(1 / 3, 8)
    assert row["oh_dup_para_char_frac"] == round(3 / 15, 8)


def test_words_and_newlines() -> None:
    # Tokens: one | - | two | , | three | .
    row = measure("one-two,\nthree.\n", "oh")
    assert row["oh_max_word_len"] == 8
    assert row["oh_newline_word_ratio"] == round(2 / 6, 8)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a.b+c@mail.example.org, x@example.org", 2),
        ("@ a@ @b a@b", 0),
        ("127.0.0.1 and 256.1.1.1 and 1.2.3.4.5", 1),
        ("call (555) 123-4567 or 555.123.4567 or 5551234567", 3),
        ("5551234567x 12345678901", 0),
    ],
)
def test_personal_data(text: str, found: int) -> None:
    assert measure(text, "oh_pii_count")["oh_pii_count"] == found


def test_compression() -> None:
    # "abcd" is four literals; what follows is one match of eight bytes.
    assert measure("abcd" * 3, "oh")["oh_compression_ratio"] == round((4 + 3) / 12, 8)
    assert measure("abc", "oh")["oh_compression_ratio"] == 1
    noise = "".join(random.Random(1).choices("abcdefghijklmnopqrstuvwxyz", k=1000))
    assert measure(noise, "oh")["oh_compression_ratio"] > 0.99


def test_an_empty_text() -> None:
    row = measure("", "oh")
    assert row["oh_max_word_len"] == row["oh_pii_count"] == 0
    rest = {n: v for n, v in row.items() if n.startswith("oh_") and v is not None}
    assert set(rest) == {"oh_max_word_len", "oh_pii_count"}
