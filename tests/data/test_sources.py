"""Reading: functions, passages, JSON lines, pages and packages; what is bad is set aside."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from openhearth.data import SCHEMA, Quarantine, read
from openhearth.data.sources import functions, jsonl, packages, text
from openhearth.errors import NotFound, UsageError

MODULE = '''
"""A module."""
import os


class Shelf:
    def add(self, book, place=None):
        """Put a book on the shelf.  It goes
        to the given place.

        Args:
            book: what to put.
        """
        self.books.insert(place or len(self.books), book)
        return self.books

    @property
    def size(self): return len(self.books)


async def fetch(url):
    """Fetch a page and return its text."""
    async with session.get(url) as response:
        return await response.text()


def only_words():
    """Nothing but a docstring."""


def inline(): """On one line."""; return 1
'''


def documents(corpus: object) -> list[dict]:
    return [row for batch in corpus.batches() for row in batch.to_pylist()]


def messages(row: dict) -> list[dict[str, str]]:
    return json.loads(row["metadata"])["messages"]


def test_functions_become_questions_without_their_docstring() -> None:
    rows = list(functions.documents(MODULE, "shelf.py", "shop", Quarantine(), ("MIT", "Ann")))
    assert [row["id"].split("::")[1].split(":")[0] for row in rows] == ["Shelf.add", "fetch"]
    question, answer = messages(rows[0])
    assert answer["content"] == "Put a book on the shelf. It goes to the given place."
    assert "Put a book" not in question["content"]
    assert question["content"].endswith(
        "```python\ndef add(self, book, place=None):\n"
        "    self.books.insert(place or len(self.books), book)\n    return self.books\n```"
    )
    assert (rows[0]["license"], rows[0]["creator"], rows[0]["source"]) == ("MIT", "Ann", "shop")
    assert messages(rows[1])[0]["content"].count("async def fetch(url):") == 1


@pytest.mark.parametrize(
    ("docstring", "expected"),
    [
        ("Return it.", "Return it."),
        ("First. Second! Third?", "First. Second!"),
        ("Uses e.g. commas, not ends. Next one.", "Uses e.g. commas, not ends. Next one."),
        ("Title\n\nMore text.", "Title"),
        ("Does it.\n:param x: y", "Does it."),
        ("Does it.\nReturns: y", "Does it."),
        ("\n    Wrapped\n    lines here.\n    ", "Wrapped lines here."),
        (">>> add(1)\n2", ">>> add(1) 2"),
        ("", ""),
        ("long " * 100, ""),
        ("Short. " + "L" * 400 + ".", "Short."),
    ],
)
def test_the_first_sentences_of_a_docstring(docstring: str, expected: str) -> None:
    assert functions.summary(docstring) == expected


@given(source=st.text(max_size=200))
def test_no_source_text_ends_the_run(source: str) -> None:
    aside = Quarantine()
    rows = list(functions.documents(source, "x.py", "x", aside))
    assert not (rows and aside.counts)


def test_sources_that_do_not_parse_are_set_aside() -> None:
    aside = Quarantine()
    assert list(functions.documents("def broken(:", "b.py", "p", aside)) == []
    assert list(functions.documents("(" * 5000, "deep.py", "p", aside)) == []
    assert aside.to_dict() == {
        "counts": {"not Python": 2},
        "examples": [
            {"reason": "not Python", "where": "b.py"},
            {"reason": "not Python", "where": "deep.py"},
        ],
    }


def test_prose_becomes_passages_and_what_follows_them() -> None:
    sentences = [f"Sentence number {i} says something about the weather." for i in range(60)]
    rows = list(text.documents("\n".join(sentences), "book.txt", "book"))
    assert len(rows) == 3
    said = []
    for row in rows:
        question, answer = messages(row)
        assert question["content"].startswith("Continue this text.\n\nSentence number")
        assert 0 < len(answer["content"]) <= text.ANSWER_CHARACTERS
        said.append(question["content"].split("\n\n", 1)[1] + " " + answer["content"])
    assert " ".join(sentences).startswith(" ".join(said))  # in order, and nothing twice


@given(content=st.text(max_size=3000))
def test_passages_never_contain_what_is_not_in_the_text(content: str) -> None:
    flat = " ".join(content.split())
    for row in text.documents(content, "x", "x"):
        assert messages(row)[1]["content"] in flat


def write_lines(path: Path, lines: list[str]) -> Path:
    data = "\n".join(lines).encode()
    if path.suffix == ".gz":
        data = gzip.compress(data)
    elif path.suffix == ".zst":
        data = zstandard.compress(data)
    path.write_bytes(data)
    return path


TURNS = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello there."}]


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.jsonl.zst"])
def test_good_lines_go_on_beside_bad_ones(name: str, tmp_path: Path) -> None:
    lines = [
        json.dumps({"id": 7, "text": "Short.", "source": "wiki", "license": "CC0"}),
        "{broken",
        "[1, 2]",
        "",
        json.dumps({"content": "Other name."}),
        json.dumps({"messages": TURNS}),
        json.dumps({"messages": TURNS[:1]}),
        json.dumps({"text": 5}),
    ]
    corpus = read(str(write_lines(tmp_path / name, lines)))
    rows = documents(corpus)
    assert [row["text"] for row in rows] == ["Short.", "Other name.", "Hello there.\n\nHi"]
    assert (rows[0]["id"], rows[0]["source"], rows[0]["license"]) == ("7", "wiki", "CC0")
    assert messages(rows[2]) == TURNS
    assert corpus.quarantine.counts == {
        "not JSON": 1,
        "not a JSON object": 1,
        "no text or messages": 2,
    }


@given(junk=st.binary(max_size=300), suffix=st.sampled_from([".jsonl", ".jsonl.gz", ".jsonl.zst"]))
def test_no_bytes_end_the_reading_of_json_lines(
    junk: bytes, suffix: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("junk") / f"x{suffix}"
    path.write_bytes(junk)
    aside = Quarantine()
    for row in jsonl.documents(path, "x", aside):
        assert set(row) <= set(SCHEMA.names)


def test_a_cut_archive_gives_what_it_holds(tmp_path: Path) -> None:
    lines = [json.dumps({"text": f"Text {i} {'x' * 50}."}) for i in range(2000)]
    path = write_lines(tmp_path / "cut.jsonl.gz", lines)
    path.write_bytes(path.read_bytes()[:-2000])
    corpus = read(str(path))
    assert 0 < len(documents(corpus)) < 2000
    assert sum(corpus.quarantine.counts.values()) >= 1


def test_a_folder_of_many_kinds(tmp_path: Path) -> None:
    prose = "A sentence that goes on for a while, as they do. " * 60
    for i in range(9):
        (tmp_path / f"part{i}").mkdir()
        (tmp_path / f"part{i}" / "text.md").write_text(prose)
    (tmp_path / "part0" / "shelf.py").write_text(MODULE)
    (tmp_path / "part0" / "page.html").write_text(
        f"<html><script>evil()</script><body><nav>menu</nav><main><p>{prose}</p></main></body>"
    )
    (tmp_path / "part0" / "image.txt").write_bytes(b"\x89PNG\0\xff\xfe")
    (tmp_path / "part0" / "null.txt").write_bytes(b"a\0b")
    (tmp_path / "part0" / "huge.txt").write_bytes(b"x" * (text.LARGEST + 1))
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "secret.txt").write_text(prose)
    (tmp_path / "link.txt").symlink_to("/etc/hostname")
    corpus = read(str(tmp_path))
    rows = documents(corpus)
    assert {row["source"] for row in rows} == {f"part{i}" for i in range(9)}
    assert not any("evil" in row["text"] or "secret" in row["id"] for row in rows)
    assert any(row["id"].startswith("part0/part0/shelf.py::Shelf.add") for row in rows)
    assert corpus.quarantine.counts == {"not UTF-8 text": 1, "binary": 1, "larger than 4 MiB": 1}


def test_few_folders_make_files_the_sources(tmp_path: Path) -> None:
    for i in range(4):
        (tmp_path / f"{i}.txt").write_text("One sentence. " * 100)
    assert {row["source"] for row in documents(read(str(tmp_path)))} == {
        f"{i}.txt" for i in range(4)
    }


def test_the_fingerprint_changes_with_the_content(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("One.")
    before = read(str(tmp_path)).fingerprint
    assert read(str(tmp_path)).fingerprint == before
    path.write_text("Two.")
    assert read(str(tmp_path)).fingerprint != before


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no file or folder"):
        read(str(tmp_path / "nothing"))
    with pytest.raises(UsageError, match="has no text"):
        read(str(tmp_path))
    with pytest.raises(NotFound, match="no-such-package"):
        read("python:no-such-package")


def test_installed_packages_have_licences_and_authors() -> None:
    corpus = read("python:click,hypothesis")
    rows = documents(corpus)
    assert {row["source"] for row in rows} == {"click", "hypothesis"}
    assert (
        max(sum(r["source"] == s for r in rows) for s in ("click", "hypothesis")) <= packages.MOST
    )
    assert {r["license"] for r in rows if r["source"] == "hypothesis"} == {"MPL-2.0"}
    assert all(row["creator"] for row in rows if row["source"] == "hypothesis")
    assert not any("/tests/" in row["id"] for row in rows)
    assert documents(read("python:click,hypothesis")) == rows


def test_the_standard_library_is_a_corpus() -> None:
    corpus = read("python:stdlib")
    name, part = next(p for p in corpus.parts if p[0] == "textwrap")
    rows = list(part(Quarantine()))
    assert name == "textwrap"
    assert any("::indent:" in row["id"] for row in rows)
    assert rows[0]["license"] == "PSF-2.0"
