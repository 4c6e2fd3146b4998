"""Cards: the counts are those of the shards, and others can read the head."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from openhearth.data import CurateRecipe, curate
from openhearth.data.card import card
from openhearth.errors import UsageError
from openhearth.store import Artifact, Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "home")


@pytest.fixture
def dataset(store: Store, tmp_path: Path) -> Artifact:
    path = tmp_path / "docs.jsonl"
    records = [
        {
            "text": f"Document {i} has enough words to be kept by rules that ask for a few.",
            "source": f"s{i % 30:02}",
            "license": "MIT" if i % 3 else "CC|BY",
            "creator": "Ann" if i % 2 else None,
            "lang": "en",
        }
        for i in range(90)
    ]
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    rules = tmp_path / "mine.toml"
    rules.write_text('words = { signal = "rps_doc_word_count", min = 3 }')
    return curate(store, CurateRecipe(source=str(path), rules=(str(rules),), similarity=None))


def test_counts_are_those_of_the_shards(dataset: Artifact) -> None:
    text = card(dataset, "mine")
    metrics = dataset.manifest.metrics
    assert f"{metrics['train']} documents to train on and {metrics['heldout']} held out" in text
    assert "| MIT | 60 |" in text
    assert "| CC\\|BY | 30 |" in text
    assert "| (unknown) | 45 |" in text
    assert "| 5 more | 15 |" in text  # of thirty sources of three documents
    assert "These removed nothing: " in text
    assert f"dataset {dataset.digest[:12]}" in text or dataset.digest[:12] in text


def test_the_head_is_what_the_hub_reads(dataset: Artifact) -> None:
    head = yaml.safe_load(re.match(r"---\n(.*?)\n---\n", card(dataset, "mine"), re.DOTALL)[1])
    (config,) = head["configs"]
    assert [entry["split"] for entry in config["data_files"]] == ["train", "heldout"]
    assert head["language"] == ["en"]
    assert head["license_name"] == "CC|BY AND MIT"
    assert sum(s["num_examples"] for s in head["dataset_info"]["splits"]) == 90


def test_only_a_dataset_has_one(store: Store) -> None:
    report = store.make("report", lambda draft: None, recipe={})
    with pytest.raises(UsageError, match="no curated dataset"):
        card(report, "x")
