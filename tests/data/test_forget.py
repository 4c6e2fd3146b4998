"""Takedown: what is forgotten is nowhere any more, and other shards are not touched."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from openhearth.data import CurateRecipe, curate, read_split
from openhearth.data.forget import Request, forget
from openhearth.errors import NotFound, UsageError
from openhearth.store import Artifact, Store

RULES = 'words = { signal = "rps_doc_word_count", min = 8 }\n'


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "home")


@pytest.fixture
def dataset(store: Store, tmp_path: Path) -> Artifact:
    """Six sources of forty documents; the files of two are so large that they are parts alone."""
    rules = tmp_path / "mine.toml"
    rules.write_text(RULES)
    folder = tmp_path / "docs"
    folder.mkdir()
    for source in range(12):
        with (folder / f"{source:02}.jsonl").open("w") as file:
            for i in range(40):
                short = i % 10 == 0
                record = {
                    "id": f"{source}-{i}",
                    "text": "short" if short else f"secret{source}x{i} " + "and more words " * 4,
                    "url": f"https://example.org/{source}/{i}",
                    "source": f"s{source}",
                    "creator": f"author {i % 4}",
                    "license": "CC0-1.0" if i % 4 == 3 else "MIT",
                }
                file.write(json.dumps(record) + "\n")
    recipe = CurateRecipe(source=str(folder), rules=(str(rules),), similarity=None)
    made = curate(store, recipe)
    store.tag("mine", made.digest)
    return made


def texts(store: Store) -> str:
    """All text that any artifact of the store still has."""
    found = []
    for artifact in store.artifacts():
        for name in artifact.manifest.files:
            if name.endswith(".parquet") and "text" in pq.read_schema(artifact.path(name)).names:
                found += pq.read_table(artifact.path(name)).column("text").to_pylist()
            if name.endswith(".json"):
                found.append(artifact.path(name).read_text())
    return "\n".join(found)


def rows(artifact: Artifact) -> int:
    return sum(read_split(artifact, split).num_rows for split in ("train", "heldout"))


def test_one_document_goes_from_everywhere(store: Store, dataset: Artifact) -> None:
    before = rows(dataset)
    assert "secret3x5 " in texts(store)
    done = forget(store, "mine", Request(ids=frozenset({"3-5"})))
    assert "secret3x5 " not in texts(store)
    assert "secret3x6 " in texts(store)
    new = store.get("mine")
    assert new.digest != dataset.digest
    assert rows(new) == before - 1
    assert done.kept == []
    assert {a.kind for a in store.artifacts()} == {"corpus", "signals", "dataset"}
    assert len(store.artifacts()) == 3
    assert new.manifest.metrics["train"] + new.manifest.metrics["heldout"] == before - 1


def test_signals_stay_beside_their_documents(store: Store, dataset: Artifact) -> None:
    forget(store, "mine", Request(urls=frozenset({"https://example.org/2/7"})))
    new = store.get("mine")
    signals = store.load(new.manifest.inputs["signals"])
    corpus = store.load(new.manifest.inputs["corpus"])
    names = [
        pq.read_table(a.path(n)).column("id").to_pylist()
        for a, folder in ((corpus, "documents"), (signals, "signals"))
        for n in sorted(a.manifest.files)
        if n.startswith(folder)
    ]
    assert names[0] == names[1]
    assert "2-7" not in names[0]


def test_shards_without_it_stay_the_same_files(store: Store) -> None:
    """A part for each package, so a shard for each."""
    made = curate(store, CurateRecipe(source="python:click,jinja2,packaging,pydantic,pytest"))
    store.tag("packages", made.digest)
    files = dict(store.load(made.manifest.inputs["corpus"]).manifest.files)
    creator = pq.read_table(
        store.load(made.manifest.inputs["corpus"]).path("documents/000003.parquet")
    ).column("id")[0]
    done = forget(store, "packages", Request(ids=frozenset({creator.as_py().partition("#")[0]})))
    after = store.load(store.get("packages").manifest.inputs["corpus"]).manifest.files
    changed = [name for name in files if name.endswith("parquet") and files[name] != after[name]]
    assert changed == ["documents/000003.parquet"]
    assert done.rewritten < done.shards


def test_a_creator_goes_with_the_licence_that_only_they_used(
    store: Store, dataset: Artifact
) -> None:
    assert "CC0-1.0" in dataset.manifest.license
    forget(store, "mine", Request(creators=frozenset({"author 3"})))
    new = store.get("mine")
    assert new.manifest.license == ("MIT",)
    assert "author 3" not in new.manifest.creator
    assert "author 3" not in texts(store)


def test_examples_of_the_funnel_go_too(store: Store, dataset: Artifact) -> None:
    shown = dataset.read_json("funnel.json")[0]["examples"][0]["id"]
    forget(store, "mine", Request(ids=frozenset({shown})))
    assert shown not in store.get("mine").path("funnel.json").read_text()


def test_the_recipe_does_not_tell_what_was_asked_for(store: Store, dataset: Artifact) -> None:
    forget(store, "mine", Request(ids=frozenset({"1-1"}), urls=frozenset()))
    forget(store, "mine", Request(ids=frozenset({"1-2"})))
    new = store.get("mine")
    assert len(new.manifest.recipe["forgotten"]) == 2
    assert b"1-1" not in json.dumps(new.manifest.recipe["forgotten"]).encode()


def test_what_was_made_of_it_is_told_and_stays(store: Store, dataset: Artifact) -> None:
    store.make("report", lambda draft: None, inputs={"data": dataset.digest}, recipe={})
    done = forget(store, "mine", Request(ids=frozenset({"3-5"})))
    assert any("is needed by report" in reason for reason in done.kept)
    assert store.load(dataset.digest) == dataset


def test_wrong_requests_are_sentences(store: Store, dataset: Artifact) -> None:
    with pytest.raises(UsageError, match="Nothing is to be forgotten"):
        forget(store, "mine", Request())
    with pytest.raises(NotFound, match="No document"):
        forget(store, "mine", Request(ids=frozenset({"no such"})))
    report = store.make("report", lambda draft: None, recipe={})
    with pytest.raises(UsageError, match="holds no documents"):
        forget(store, report.digest, Request(ids=frozenset({"x"})))
