"""Packing: every example once, every token once, and rows that know where documents begin."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openhearth.data import pack
from openhearth.data.tokens import TokenCorpus
from openhearth.data.tokens.shards import Index, Shard


@given(
    lengths=st.lists(st.integers(1, 100), max_size=150),
    seed=st.integers(0, 2**32 - 1),
    epoch=st.integers(0, 5),
)
def test_packing_uses_every_example_once_within_the_capacity(
    lengths: list[int], seed: int, epoch: int
) -> None:
    sizes = np.array(lengths, dtype=np.int64)
    groups = pack(sizes, 100, seed, epoch)
    assert sorted(i for group in groups for i in group) == list(range(len(lengths)))
    assert all(sizes[group].sum() <= 100 for group in groups)
    assert groups == pack(sizes, 100, seed, epoch)


def test_packing_fills_steps_well_and_differs_by_epoch() -> None:
    sizes = np.random.default_rng(0).integers(20, 400, 2000)
    groups = pack(sizes, 1024, 0, 0)
    assert sizes.sum() / (1024 * len(groups)) > 0.95
    assert groups != pack(sizes, 1024, 0, 1)


def corpus_of(shards: list[list[int]]) -> TokenCorpus:
    """Shards with documents of these lengths; the tokens count up through all of them."""
    made, first = [], 0
    for lengths in shards:
        tokens = np.arange(first, first + sum(lengths), dtype=np.uint16)
        made.append(Shard(tokens, np.cumsum([0, *lengths], dtype=np.int64)))
        first += sum(lengths)
    index = Index(
        dtype="uint16", vocabulary=65536, end_of_text=None, tokenizer=None, length=None, splits={}
    )
    return TokenCorpus(index, made, [])


SHARDS = st.lists(st.lists(st.integers(0, 9), max_size=6), max_size=5)


@given(shards=SHARDS, length=st.integers(1, 25))
def test_rows_hold_every_token_once_and_know_where_documents_begin(
    shards: list[list[int]], length: int
) -> None:
    corpus = corpus_of(shards)
    rows = corpus.rows(length)
    tokens = [rows.tokens(i).tolist() for i in range(len(rows))]
    assert [t for row in tokens for t in row] == list(range(corpus.size))
    assert {len(row) for row in tokens[:-1]} <= {length}
    # Which document each token of the stream is of, by counting.
    lengths = [n for documents in shards for n in documents]
    owner = [number for number, n in enumerate(lengths) for _ in range(n)]
    for i, row in enumerate(tokens):
        of = [owner[token] for token in row]
        changes = [at for at in range(1, len(of)) if of[at] != of[at - 1]]
        assert rows.boundaries(i).tolist() == [0, *changes, len(of)]


@given(shards=SHARDS, data=st.data())
def test_documents_and_spans_are_parts_of_one_stream(
    shards: list[list[int]], data: st.DataObject
) -> None:
    corpus = corpus_of(shards)
    documents = [corpus.tokens(i).tolist() for i in range(len(corpus))]
    assert [len(d) for d in documents] == [n for lengths in shards for n in lengths]
    assert [t for d in documents for t in d] == list(range(corpus.size))
    start = data.draw(st.integers(0, corpus.size))
    stop = data.draw(st.integers(start, corpus.size))
    assert corpus.span(start, stop).tolist() == list(range(start, stop))
    assert corpus.span(start, stop).dtype == np.uint16


def test_a_row_within_a_shard_is_no_copy() -> None:
    corpus = corpus_of([[5, 5], [5]])
    rows = corpus.rows(4)
    assert np.shares_memory(rows.tokens(0), corpus.shards[0].tokens)
    assert rows.tokens(2).tolist() == [8, 9, 10, 11]


@pytest.mark.parametrize("i", [-1, 3])
def test_what_is_not_there_is_an_index_error(i: int) -> None:
    corpus = corpus_of([[4, 4], [4]])
    with pytest.raises(IndexError, match="there are 3"):
        corpus.tokens(i)
    with pytest.raises(IndexError, match="there are 3"):
        corpus.rows(4).tokens(i)
