"""Conversations as tokens: the mask is on the answer, and shards come back as they were."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from openhearth.data import SCHEMA, Tokenizer, TokenShards, tokenize
from openhearth.errors import NotFound, UsageError
from openhearth.store import Artifact, Draft, Store
from tests.conftest import write_tokenizer

TURNS = [
    {"role": "user", "content": "def add(a, b): return a + b"},
    {"role": "assistant", "content": "Return the sum — é."},
]


@pytest.fixture
def made(tmp_path: Path) -> tuple[Store, Artifact, Artifact]:
    """A store, a dataset of three training examples (one of them too long) and a tokenizer."""
    store = Store(tmp_path / "home")
    long = [{"role": "user", "content": "word " * 3000}, TURNS[1]]

    def dataset(draft: Draft) -> None:
        rows = [
            {"id": str(i), "text": "", "source": f"s{i}", "metadata": json.dumps({"messages": m})}
            for i, m in enumerate([TURNS, long, TURNS])
        ]
        pq.write_table(
            pa.Table.from_pylist(rows, schema=SCHEMA), draft.path("train/000000.parquet")
        )
        pq.write_table(SCHEMA.empty_table(), draft.path("heldout/000000.parquet"))
        draft.path("funnel.json").write_text("[]")
        draft.license.append("MIT")

    def model(draft: Draft) -> None:
        write_tokenizer(draft.path_of_files)

    return store, store.make("dataset", dataset), store.make("model", model)


def test_the_mask_is_on_the_answer_and_its_end(made: tuple[Store, Artifact, Artifact]) -> None:
    store, dataset, model = made
    shards = TokenShards.open(tokenize(store, dataset, model), "train")
    tokenizer = Tokenizer.load(model)
    ids, counts = shards.tokens(0), shards.loss(0)
    assert tokenizer.decode(ids[counts][:-1].tolist()) == TURNS[1]["content"]
    assert ids[counts][-1] == tokenizer.end_of_turn
    prompt = tokenizer.chat(TURNS[:1], add_generation_prompt=True)
    assert ids[~counts].tolist() == tokenizer.encode(prompt)
    assert shards.answer_bytes.tolist() == [len(TURNS[1]["content"].encode())] * 2


def test_long_examples_are_left_out_and_counted(made: tuple[Store, Artifact, Artifact]) -> None:
    store, dataset, model = made
    artifact = tokenize(store, dataset, model, max_tokens=200)
    shards = TokenShards.open(artifact, "train")
    assert len(shards) == 2
    assert [shards.source(i) for i in range(2)] == ["s0", "s2"]
    assert artifact.manifest.metrics["train"]["too_long"] == 1
    assert artifact.manifest.license == ("MIT",)
    assert shards.lengths.tolist() == [len(shards.tokens(i)) for i in range(2)]
    assert tokenize(store, dataset, model, max_tokens=200) == artifact


def test_an_empty_split_is_empty(made: tuple[Store, Artifact, Artifact]) -> None:
    store, dataset, model = made
    shards = TokenShards.open(tokenize(store, dataset, model), "heldout")
    assert len(shards) == 0
    assert shards.lengths.tolist() == []


def test_what_is_no_dataset_is_refused(made: tuple[Store, Artifact, Artifact]) -> None:
    store, dataset, model = made
    with pytest.raises(UsageError, match="not a curated dataset"):
        tokenize(store, model, model)
    with pytest.raises(NotFound):
        TokenShards.open(dataset, "train")
