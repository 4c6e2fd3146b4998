"""Encoding long texts in pieces: the tokens are those of the whole, or there are no pieces."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import tokenizers
from tokenizers import models, normalizers

from openhearth.data import Tokenizer
from openhearth.data.tokens.texts import GROUP, PIECE, cut, encode_texts
from tests.data.tokens.conftest import documentation

# Where a split into words could go wrong: spaces, ends of lines, contractions, digits, marks.
HARD = [
    " ",
    "  ",
    "\n",
    "\t",
    "\r\n",
    "e\u0301",
    "你",
    "a",
    "B",
    "12",
    "'s",
    "_",
    ".",
    "\u00a0",
    "!!",
]


@pytest.fixture(scope="module")
def smollm(smollm_directory: Path) -> Tokenizer:
    return Tokenizer.load(smollm_directory)


def prose() -> str:
    texts = [text for part in documentation() for text in part]
    return "\n\n".join(texts * (3 * PIECE // sum(map(len, texts)) + 1))


def hard() -> str:
    return "".join(random.Random(0).choices(HARD, k=2 * PIECE))


@pytest.mark.parametrize("make", [prose, hard])
def test_pieces_have_the_tokens_of_the_whole(smollm: Tokenizer, make: object) -> None:
    assert callable(make)
    text = make()
    pieces = list(cut(smollm, text))
    assert len(pieces) > 1
    assert "".join(pieces) == text
    assert max(map(len, pieces)) <= 3 * PIECE
    assert encode_texts(smollm, [text]) == smollm.encode_literally([text])


def test_short_and_long_texts_keep_their_places(smollm: Tokenizer) -> None:
    texts = ["a", "", prose() + "end", "b " * (GROUP // 2), "", "c"]
    found = encode_texts(smollm, texts)
    assert [smollm.decode(ids) for ids in found] == texts


def test_a_text_that_cannot_be_cut_stays_whole(smollm: Tokenizer) -> None:
    """No words at all; or a tokenizer that begins every text with a space of its own."""
    assert len(list(cut(smollm, "a" * (3 * PIECE)))) == 1
    letters = {letter: i for i, letter in enumerate("▁abcdefghijklmnopqrstuvwxyz")}
    backend = tokenizers.Tokenizer(models.BPE(letters, []))
    backend.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    assert len(list(cut(Tokenizer(backend, {}), "ab cd " * PIECE))) == 1
