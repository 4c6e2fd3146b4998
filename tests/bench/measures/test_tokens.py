"""Tokens of chunks: as the plain quadratic definition has them, with any tokenizer."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
import tokenizers
from hypothesis import example, given
from hypothesis import strategies as st
from tokenizers import models, normalizers, pre_tokenizers, trainers

from openhearth.bench.measures import counter
from openhearth.bench.measures import tokens as tokens_module
from openhearth.bench.measures.tokens import ByBytes, ByTokenizer, Counter
from openhearth.data.tokenizer import Tokenizer
from openhearth.errors import NotFound
from openhearth.store import Store
from tests.conftest import TEXT, write_tokenizer

# How Llama 3 and Qwen split text before BPE.
WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
SAMPLES = [
    *TEXT,
    "1234 5678 lines\n\nof text,  and\ttabs",
    '{"a": [1, 2]}',
    "naïve 你好 🙂 e\u0301",
]


def _bpe(*before: pre_tokenizers.PreTokenizer) -> tokenizers.Tokenizer:
    tokenizer = tokenizers.Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(list(before))
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=400, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(SAMPLES * 3, trainer)
    return tokenizer


def _split() -> tokenizers.Tokenizer:
    split = pre_tokenizers.Split(tokenizers.Regex(WORDS), "isolated")
    tokenizer = _bpe(split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False))
    tokenizer.add_tokens(["<think>", "   ", "tab and space", "of text"])
    return tokenizer


def _digits() -> tokenizers.Tokenizer:
    digits = pre_tokenizers.Digits(individual_digits=True)
    return _bpe(digits, pre_tokenizers.ByteLevel(add_prefix_space=False))


def _prefixed() -> tokenizers.Tokenizer:
    return _bpe(pre_tokenizers.ByteLevel(add_prefix_space=True))


def _pieces() -> tokenizers.Tokenizer:
    tokenizer = tokenizers.Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    trainer = trainers.UnigramTrainer(
        vocab_size=120, unk_token="<unk>", special_tokens=["<unk>"], show_progress=False
    )
    tokenizer.train_from_iterator(SAMPLES * 3, trainer)
    return tokenizer


def _words() -> tokenizers.Tokenizer:
    words = tokenizers.BertWordPieceTokenizer()
    words.train_from_iterator(SAMPLES, vocab_size=150, show_progress=False)
    return tokenizers.Tokenizer.from_str(words.to_str())


def _unsplit() -> tokenizers.Tokenizer:
    tokenizer = tokenizers.Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Replace(" ", "_")
    trainer = trainers.BpeTrainer(vocab_size=200, show_progress=False)
    tokenizer.train_from_iterator(SAMPLES * 3, trainer)
    return tokenizer


MAKERS = [_split, _digits, _prefixed, _pieces, _words, _unsplit]
COUNTERS: dict[str, Counter] = {
    make.__name__: ByTokenizer(Tokenizer(make(), {}), make.__name__) for make in MAKERS
} | {"bytes": ByBytes()}

# Spans that are long enough for seams, and short ones that merge, split and look ahead.
spans = st.sampled_from([
    "The quick brown fox jumps over the lazy dog, again and again and again, and over", " and",
    " text", "tab and space", "<think>", "<thi", "nk>", " ", "   ", "\n", "\n\n", " \n", "12",
    "345",
    "'ll", "s", "you'", "e", "\u0301", "é", "你好", "🙂", ".", ",  ", "def add(a, b):", "\t", "__",
])  # fmt: skip


def _plain(by: Counter, chunks: list[str]) -> list[int]:
    through = [by.count("".join(chunks[:end])) for end in range(1, len(chunks) + 1)]
    kept = [min(through[place:]) for place in range(len(through))]
    return [after - before for before, after in pairwise([0, *kept])]


@pytest.mark.parametrize("name", COUNTERS)
@given(chunks=st.lists(spans | st.text(max_size=4), max_size=25))
@example(chunks=["the lazy dog " * 12, "of", " ", "text", " ", "dog " * 30])
def test_chunks_have_the_tokens_that_the_plain_definition_says(
    name: str, chunks: list[str]
) -> None:
    by = COUNTERS[name]
    assert by.shares(chunks) == _plain(by, chunks)


@pytest.mark.parametrize("name", COUNTERS)
@given(chunks=st.lists(spans, max_size=25))
def test_none_is_negative_and_the_sum_is_that_of_the_whole(name: str, chunks: list[str]) -> None:
    shares = COUNTERS[name].shares(chunks)
    assert all(share >= 0 for share in shares)
    assert sum(shares) == COUNTERS[name].count("".join(chunks))


def test_a_token_that_a_later_chunk_takes_back_was_never_there() -> None:
    merging = tokenizers.Tokenizer(
        models.BPE({"a": 0, "b": 1, "c": 2, "bc": 3, "abc": 4}, [("b", "c"), ("a", "bc")])
    )
    by = ByTokenizer(Tokenizer(merging, {}), "merging")
    assert by.count("ab") == 2
    assert by.count("abc") == 1
    assert by.shares(["ab", "c"]) == [1, 0]


def test_a_long_answer_is_not_encoded_from_its_beginning_each_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    by = COUNTERS["_split"]
    encoded: list[int] = []
    counts = ByTokenizer._counts

    def counting(self: ByTokenizer, texts: list[str]) -> list[int]:
        encoded.append(sum(map(len, texts)))
        return counts(self, texts)

    monkeypatch.setattr(tokens_module.ByTokenizer, "_counts", counting)
    chunks = [" word"] * 2000
    assert sum(by.shares(chunks)) == by.count("".join(chunks))
    # Each chunk's tail: what must be held back, and at most a stride and a word more.
    assert encoded[0] <= len(chunks) * (64 + 64 + 5)


def test_four_bytes_are_a_token() -> None:
    assert ByBytes().count("") == 0
    assert ByBytes().count("abcd") == 1
    assert ByBytes().count("ä" * 3) == 2
    assert ByBytes().shares(["a", "bcd", "e", ""]) == [1, 0, 1, 0]


def test_names_of_special_tokens_are_text(tmp_path: Path) -> None:
    write_tokenizer(tmp_path)
    by = ByTokenizer(Tokenizer.load(tmp_path), "tiny")
    assert by.count("<|im_end|>") > 1


def test_a_counter_is_found_by_the_name_of_a_model_or_a_path(tmp_path: Path) -> None:
    store = Store(tmp_path / "home")
    assert counter(None, store).name == "4 bytes"
    assert not counter(None, store).exact
    (tmp_path / "tiny").mkdir()
    write_tokenizer(tmp_path / "tiny")
    found = counter(str(tmp_path / "tiny"), store)
    assert found.exact
    assert found.count(TEXT[0]) == len(Tokenizer.load(tmp_path / "tiny").encode(TEXT[0]))
    with pytest.raises(NotFound):
        counter("nobody/nothing", store)
