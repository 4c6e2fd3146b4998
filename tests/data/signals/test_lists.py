"""Word lists in files, and what a recipe of signals names."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pytest

from openhearth.data.schema import SCHEMA
from openhearth.data.signals import Lists, Resources, SignalRecipe, read_words, signal_table
from openhearth.errors import NotFound, UsageError


def test_lists_are_lines_json_or_folders(tmp_path: Path) -> None:
    (tmp_path / "en.txt").write_text("one\n two words \n\n")
    (tmp_path / "all.json").write_text(json.dumps({"de": ["eins"], "en": ["one"]}))
    (tmp_path / "plain.json").write_text('["x"]')
    assert read_words(tmp_path / "en.txt", "en") == {"one", "two words"}
    assert read_words(tmp_path, "en") == {"one", "two words"}
    assert read_words(tmp_path / "all.json", "de") == {"eins"}
    assert read_words(tmp_path / "plain.json", "de") == {"x"}


def test_lists_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text("{")
    (tmp_path / "en.json").write_text('{"en": ["one"]}')
    (tmp_path / "latin.txt").write_bytes(b"\xe9")
    with pytest.raises(NotFound):
        read_words(tmp_path / "none.txt", "en")
    for name, language in (("bad.json", "en"), ("en.json", "de"), ("latin.txt", "en")):
        with pytest.raises(UsageError, match=name):
            read_words(tmp_path / name, language)


def test_entries_by_their_number_of_words() -> None:
    lists = Lists(bad_words=frozenset(["a", "b", "c d", "e f g"]))
    assert lists.bad_words_by_length() == [[], ["a", "b"], ["c d"], ["e f g"]]
    assert Lists().bad_words_by_length() == [[]]


def test_each_document_has_the_lists_of_its_language(tmp_path: Path) -> None:
    (tmp_path / "de.txt").write_text("der\n")
    recipe = SignalRecipe(language="de", stopwords=str(tmp_path))
    rows = [
        {"id": str(i), "text": "der the", "lang": lang}
        for i, lang in enumerate(("de", "en", None, "fr"))
    ]
    batch = pa.RecordBatch.from_pylist(rows, schema=SCHEMA)
    name = "rps_doc_stop_word_fraction"
    found = signal_table(batch, [name], Resources.load(recipe))[name].to_pylist()
    assert found == [0.5, 0.5, 0.5, 0]
    # German is the language of the third; of French there are no lists.
    assert signal_table(batch, [name])[name].to_pylist() == [0, 0.5, 0.5, 0]


def test_domains_and_counts_that_are_missing(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        Resources.load(SignalRecipe(domains=str(tmp_path / "none.json")))
    (tmp_path / "list.json").write_text("[]")
    with pytest.raises(UsageError, match="object"):
        Resources.load(SignalRecipe(domains=str(tmp_path / "list.json")))
    with pytest.raises(UsageError, match="source"):
        Resources.load(SignalRecipe(importance={"books": "x.npz"}))
    with pytest.raises(NotFound):
        Resources.load(SignalRecipe(importance={"source": str(tmp_path / "x.npz")}))
