from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from openhearth.bench.draws import stream
from openhearth.bench.workloads.corpus import LONGEST, read_texts
from openhearth.data.corpus import store_corpus
from openhearth.data.sources import read
from openhearth.errors import NotFound, UsageError
from openhearth.progress import silent
from openhearth.store import Store

TEXT = "One is first. Two comes next! Is three the last?\nYes, it is.\n"
SENTENCES = ["One is first.", "Two comes next!", "Is three the last?", "Yes, it is."]


def test_a_file_gives_its_sentences_in_their_order(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text(TEXT)
    texts = read_texts(str(path))
    assert texts.sentences == SENTENCES
    assert texts.digest == hashlib.sha256(TEXT.encode()).hexdigest()
    following = texts.reader(stream(1))
    given = [following() for _ in range(8)]
    assert given[:4] == given[4:]
    start = SENTENCES.index(given[0])
    assert given[:4] == SENTENCES[start:] + SENTENCES[:start]


def test_a_corpus_of_the_store_gives_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENHEARTH_HOME", str(tmp_path / "home"))
    source = tmp_path / "a.txt"
    source.write_text(TEXT)
    store = Store()
    artifact = store_corpus(store, read(str(source)), "documents", None, silent)
    store.tag("corpus/mine", artifact.digest)
    texts = read_texts("corpus/mine")
    assert texts.sentences == SENTENCES
    assert texts.digest == artifact.digest


def test_what_has_no_end_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "table.txt"
    path.write_text("a 1 " * 1000)
    assert max(map(len, read_texts(str(path)).sentences)) <= LONGEST


def test_nothing_and_emptiness_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENHEARTH_HOME", str(tmp_path / "home"))
    (tmp_path / "empty.txt").write_text(" \n")
    with pytest.raises(UsageError, match="holds no text"):
        read_texts(str(tmp_path / "empty.txt"))
    with pytest.raises(NotFound):
        read_texts("corpus/none")
