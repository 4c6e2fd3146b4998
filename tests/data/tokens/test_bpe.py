"""Training a tokenizer: it learns its corpus, loses nothing, and is the same every time."""

from __future__ import annotations

import os
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from openhearth.data import SCHEMA, Tokenizer
from openhearth.data.schema import document
from openhearth.data.tokens import TokenCorpus, tokenize_corpus, train_bpe
from openhearth.errors import UsageError
from openhearth.store import Artifact, Draft, Store
from tests.data.tokens.conftest import documentation, make_corpus


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return Store(tmp_path_factory.mktemp("bpe"))


@pytest.fixture(scope="module")
def corpus(store: Store) -> Artifact:
    return make_corpus(store, documentation())


@pytest.fixture(scope="module")
def trained(store: Store, corpus: Artifact) -> Artifact:
    return train_bpe(store, corpus, 1000, special=("<|end|>", "<|pad|>"), name="docs-bpe")


def test_what_is_made_says_what_it_is(store: Store, corpus: Artifact, trained: Artifact) -> None:
    tokenizer = Tokenizer.load(store.get("docs-bpe"))
    assert tokenizer.vocab_size == trained.manifest.metrics["vocabulary"] == 1000
    assert tokenizer.end_of_text == 0
    assert [tokenizer.token_text(i) for i in (0, 1)] == ["<|end|>", "<|pad|>"]
    assert trained.manifest.inputs == {"documents": corpus.digest}
    assert (trained.manifest.license, trained.kind) == (("MIT",), "tokenizer")


def test_its_corpus_gets_short_and_nothing_is_lost(
    store: Store, corpus: Artifact, trained: Artifact
) -> None:
    tokenizer, tokens = Tokenizer.load(trained), tokenize_corpus(store, corpus, trained)
    texts = [text for part in documentation() for text in part]
    found = TokenCorpus.open(tokens)
    assert [tokenizer.decode(found.tokens(i).tolist()) for i in range(len(found))] == texts
    assert found.size < sum(len(text.encode()) for text in texts) / 2.5
    assert tokenizer.encode(" return") == [tokenizer.encode("a return")[1]]
    assert len(tokenizer.encode("2024")) == 4


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(max_size=80))
def test_any_text_can_be_written(trained: Artifact, text: str) -> None:
    tokenizer = Tokenizer.load(trained)
    clean = text.encode("utf-8", "replace").decode()
    (ids,) = tokenizer.encode_literally([clean + "<|end|>"])
    assert tokenizer.decode(ids) == clean + "<|end|>"
    assert 0 not in ids


CHILD = """
import sys
from openhearth.data.tokens import train_bpe
from openhearth.store import Store

store = Store(sys.argv[1])
(store.root / "made").rename(store.root / "forgotten")
(store.root / "made").mkdir()
print(train_bpe(store, store.load(sys.argv[2]), 1000, special=("<|end|>", "<|pad|>")).digest)
"""


def test_another_process_with_other_threads_makes_the_same(
    store: Store, corpus: Artifact, trained: Artifact
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(store.root), corpus.digest],
        env=os.environ | {"RAYON_NUM_THREADS": "1", "PYTHONHASHSEED": "7"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == trained.digest


def test_a_dataset_is_learnt_from_its_training_split(store: Store) -> None:
    def build(draft: Draft) -> None:
        for split, text in {"heldout": "zq zq zq zq", "train": "xj xj xj xj"}.items():
            table = pa.Table.from_pylist([document("0", text, "s")], schema=SCHEMA)
            pq.write_table(table, draft.path(f"{split}/000000.parquet"))
        draft.path("funnel.json").write_text("[]")

    tokenizer = Tokenizer.load(train_bpe(store, store.make("dataset", build), 260))
    assert (len(tokenizer.encode("xj")), len(tokenizer.encode("zq"))) == (1, 2)


def test_a_small_corpus_gives_a_small_vocabulary(store: Store) -> None:
    made = train_bpe(store, make_corpus(store, [["a b c"]]), 5000)
    assert made.manifest.metrics["vocabulary"] == 257
    assert Tokenizer.load(made).decode(Tokenizer.load(made).encode("a b c")) == "a b c"


@pytest.mark.parametrize(
    ("vocabulary", "special", "message"),
    [
        (256, ("<|endoftext|>",), "256 bytes and 1 special tokens need 257"),
        (1000, (), "needs special tokens"),
        (1000, ("<|end|>", "<|end|>"), "each once"),
    ],
)
def test_a_vocabulary_that_cannot_be_is_refused(
    store: Store, corpus: Artifact, vocabulary: int, special: tuple[str, ...], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        train_bpe(store, corpus, vocabulary, special=special)


def test_a_tokenizer_alone_is_no_corpus(store: Store, trained: Artifact) -> None:
    with pytest.raises(UsageError, match="has no documents"):
        train_bpe(store, trained, 1000)
