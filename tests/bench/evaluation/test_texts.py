"""Bits per byte are what one computes by hand, are found again, and go on where they stopped."""

from __future__ import annotations

import math
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from openhearth.bench.evaluation.subject import Subject
from openhearth.bench.evaluation.texts import evaluate_texts
from openhearth.bench.evaluation.windows import Scored
from openhearth.errors import NotFound, UsageError
from openhearth.models import pull
from openhearth.store import Store

TEXTS = ["def add(a, b): return a + b", "The lazy dog. " * 60, "Zwölf Füchse", "jump"]


@pytest.fixture
def store(tmp_path: Path, tiny_directory: Path) -> Store:
    store = Store(tmp_path / "home")
    pull(store, str(tiny_directory), name="tiny")
    return store


@pytest.fixture
def folder(tmp_path: Path) -> str:
    path = tmp_path / "texts"
    path.mkdir()
    for number, text in enumerate(TEXTS):
        (path / f"{number}.txt").write_text(text)
    return str(path)


def test_as_by_hand(store: Store, folder: str) -> None:
    subject = Subject.open(store, "tiny")
    made = evaluate_texts(store, subject, folder)
    bits = 0.0
    for text in TEXTS:
        tokens = subject.tokenizer.encode(text)
        score = subject.likelihood.score([Scored((subject.first,), tuple(tokens))])[0]
        bits += float(score.nats.sum()) / math.log(2)
    size = sum(len(text.encode()) for text in TEXTS)
    metrics = made.manifest.metrics
    found = metrics["bits_per_byte"]
    assert found["value"] == pytest.approx(bits / size, rel=1e-4)
    assert found["interval"][0] < found["value"] < found["interval"][1]
    assert (metrics["documents"], metrics["bytes"]) == (4, size)
    assert made.manifest.inputs["model"] == subject.base.digest
    assert store.get(made.manifest.inputs["corpus"]).kind == "corpus"
    assert pq.read_table(made.path("documents.parquet")).num_rows == 4


def test_another_context_is_another_report(store: Store, folder: str) -> None:
    whole = evaluate_texts(store, Subject.open(store, "tiny"), folder)
    short = evaluate_texts(store, Subject.open(store, "tiny", context=8), folder)
    assert whole.digest != short.digest
    assert (
        whole.manifest.metrics["bits_per_byte"]["value"]
        != short.manifest.metrics["bits_per_byte"]["value"]
    )
    assert whole.manifest.metrics["tokens"] == short.manifest.metrics["tokens"]


def test_found_and_not_done_again(store: Store, folder: str) -> None:
    first = evaluate_texts(store, Subject.open(store, "tiny"), folder)
    subject = Subject.open(store, "tiny")
    assert evaluate_texts(store, subject, folder).digest == first.digest
    assert "likelihood" not in subject.__dict__  # nothing was even loaded


def test_what_was_killed_goes_on_to_the_same(
    store: Store, folder: str, tiny_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from openhearth.bench.evaluation import texts

    monkeypatch.setattr(texts, "AT_ONCE", 20)
    seen = []

    def killed(stage: str, done: float, total: float | None, note: str = "") -> None:
        if stage == "score":
            seen.append(done)
            if len(seen) == 2:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate_texts(store, Subject.open(store, "tiny"), folder, progress=killed)
    (journal,) = store.root.glob("work/*/scores.jsonl")
    assert len(journal.read_bytes().splitlines()) == 2
    subject = Subject.open(store, "tiny")
    scored = []
    score = subject.likelihood.score
    monkeypatch.setattr(
        subject.likelihood, "score", lambda wanted: scored.append(1) or score(wanted)
    )
    resumed = evaluate_texts(store, subject, folder)
    assert len(scored) == 1  # of three groups of documents
    other = Store(store.root.parent / "other")
    pull(other, str(tiny_directory), name="tiny")
    whole = evaluate_texts(other, Subject.open(other, "tiny"), folder)
    assert whole.digest == resumed.digest


def test_the_first_documents_only(store: Store, folder: str) -> None:
    made = evaluate_texts(store, Subject.open(store, "tiny"), folder, limit=1)
    assert made.manifest.metrics["documents"] == 1
    assert made.manifest.metrics["bits_per_byte"]["interval"] is None


def test_what_makes_no_sense(store: Store, folder: str) -> None:
    subject = Subject.open(store, "tiny")
    with pytest.raises(NotFound):
        evaluate_texts(store, subject, "nothing-like-that")
    with pytest.raises(UsageError, match="no split 'heldout'"):
        evaluate_texts(store, subject, folder, split="heldout")
    with pytest.raises(UsageError, match="of kind model"):
        evaluate_texts(store, subject, "tiny")
    tokens = store.make("dataset", lambda draft: draft.path("train/tokens.bin").touch(), recipe={})
    with pytest.raises(UsageError, match="holds tokens, not text"):
        evaluate_texts(store, subject, tokens.digest, split="train")
    with pytest.raises(UsageError, match="no context of 9999"):
        Subject.open(store, "tiny", context=9999)
    with pytest.raises(UsageError, match="is no adapter of"):
        Subject.open(store, "tiny", "tiny")
