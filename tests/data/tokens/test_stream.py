"""Opening tokenised text: files of strangers are refused, never read out of bounds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openhearth.data.tokens import TokenCorpus
from openhearth.data.tokens.shards import Shard, token_dtype
from openhearth.errors import CorruptArtifact, NotFound, UsageError
from openhearth.store import Artifact, Draft, Store
from tests.data.tokens.conftest import make_tokens

SHARDS = [[[1, 2, 3], [], [4]], [], [[5, 6]]]


def altered(artifact: Artifact, name: str, content: bytes) -> Artifact:
    """The artifact as somebody else might publish it: one file is another."""

    def build(draft: Draft) -> None:
        for file in artifact.manifest.files:
            draft.path(file).write_bytes(artifact.path(file).read_bytes())
        draft.path(name).write_bytes(content)

    return artifact.store.make("dataset", build, recipe={"altered": name, "to": content.hex()})


@pytest.mark.parametrize("vocabulary", [7, 70_000])
def test_tokens_come_back_mapped_and_read_only(store: Store, vocabulary: int) -> None:
    corpus = TokenCorpus.open(make_tokens(store, SHARDS, vocabulary))
    assert [corpus.tokens(i).tolist() for i in range(len(corpus))] == [[1, 2, 3], [], [4], [5, 6]]
    assert corpus.tokens(0).dtype == token_dtype(vocabulary)
    assert not corpus.tokens(0).flags.writeable
    assert corpus.documents["id"].to_pylist() == ["0/0", "0/1", "0/2", "2/0"]
    assert corpus.rows(4).boundaries(0).tolist() == [0, 3, 4]


def test_a_corpus_without_documents_has_no_rows(store: Store) -> None:
    corpus = TokenCorpus.open(make_tokens(store, [], 7))
    assert (len(corpus), corpus.size, len(corpus.rows(8))) == (0, 0, 0)
    assert corpus.documents.num_rows == 0
    assert corpus.span(0, 0).tolist() == []


def test_what_is_no_tokenised_text_is_refused(store: Store) -> None:
    with pytest.raises(UsageError, match="no tokenised text"):
        TokenCorpus.open(store.make("dataset", lambda draft: None))
    with pytest.raises(NotFound, match="no split 'train': use one of documents"):
        TokenCorpus.open(make_tokens(store, SHARDS, 7), "train")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    {
        "half a token": ("documents/000000.bin", b"\1\0\2\0\3\0\4", "no whole number"),
        "a token less": ("documents/000000.bin", b"\1\0\2\0\3\0", "does not end where"),
        "no offsets": ("documents/000000.offsets", b"", "does not end where"),
        "backwards": (
            "documents/000000.offsets",
            np.array([0, 5, 1, 4], "<i8").tobytes(),
            "go backwards",
        ),
        "below zero": (
            "documents/000000.offsets",
            np.array([0, -1, 3, 4], "<i8").tobytes(),
            "go backwards",
        ),
        "a document more": (
            "documents/000000.offsets",
            np.array([0, 3, 3, 4, 4], "<i8").tobytes(),
            "not as its index says",
        ),
        "no index": ("index.json", b"{", "index of .* is wrong"),
    }.values(),
)
def test_files_that_do_not_fit_are_refused(
    store: Store, name: str, content: bytes, message: str
) -> None:
    artifact = altered(make_tokens(store, SHARDS, 7), name, content)
    with pytest.raises(CorruptArtifact, match=message):
        TokenCorpus.open(artifact)


@pytest.mark.parametrize(
    "change",
    [
        {"dtype": "float64"},
        {"dtype": "uint32"},
        {"vocabulary": -1},
        {"length": 0},
        {"surprise": 1},
        {"splits": {"documents": {"shards": -1, "documents": 0, "tokens": 0}}},
    ],
)
def test_an_index_that_lies_is_refused(store: Store, change: dict[str, object]) -> None:
    made = make_tokens(store, SHARDS, 7)
    content = orjson.dumps(made.read_json("index.json") | change)
    with pytest.raises(CorruptArtifact):
        TokenCorpus.open(altered(made, "index.json", content))


def test_more_shards_than_there_are_end_at_the_first_missing(store: Store) -> None:
    made = make_tokens(store, SHARDS, 7)
    claim = {"documents": {"shards": 10**15, "documents": 4, "tokens": 6}}
    content = orjson.dumps(made.read_json("index.json") | {"splits": claim})
    with pytest.raises(NotFound, match=r"no file 'documents/000003\.bin'"):
        TokenCorpus.open(altered(made, "index.json", content))


def test_names_that_are_damaged_or_too_many_are_refused(store: Store, tmp_path: Path) -> None:
    made = make_tokens(store, SHARDS, 7)
    damaged = TokenCorpus.open(altered(made, "documents/000000.parquet", b"PAR1 or not"))
    with pytest.raises(CorruptArtifact, match="damaged"):
        _ = damaged.documents
    pq.write_table(pa.table({"id": ["a"], "source": ["b"]}), tmp_path / "one.parquet")
    content = (tmp_path / "one.parquet").read_bytes()
    with pytest.raises(CorruptArtifact, match="2 names for 4 documents"):
        _ = TokenCorpus.open(altered(made, "documents/000000.parquet", content)).documents


@given(
    tokens=st.binary(max_size=40),
    offsets=st.one_of(
        st.binary(max_size=48),
        st.lists(st.integers(-2, 12), max_size=6).map(lambda o: np.array(o, "<i8").tobytes()),
    ),
    dtype=st.sampled_from(["uint16", "uint32"]),
)
def test_whatever_opens_can_be_read(
    tokens: bytes, offsets: bytes, dtype: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    directory = tmp_path_factory.getbasetemp()
    (directory / "a.bin").write_bytes(tokens)
    (directory / "a.offsets").write_bytes(offsets)
    try:
        shard = Shard.open(directory / "a.bin", directory / "a.offsets", dtype)
    except CorruptArtifact:
        return
    documents = [shard.tokens[a:b].tobytes() for a, b in zip(*_ends(shard), strict=True)]
    assert b"".join(documents) == tokens


def _ends(shard: Shard) -> tuple[list[int], list[int]]:
    return shard.offsets[:-1].tolist(), shard.offsets[1:].tolist()
