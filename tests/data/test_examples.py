"""Documents become questions with answers: chats, functions, passages."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from openhearth.data import Corpus
from openhearth.data.examples import ANSWER_CHARACTERS, answer, document_of, passages, to_examples
from openhearth.data.schema import Part, Row, Rows, document

CODE = '''
def add(shelf, book, place):
    """Put a book on the shelf."""
    shelf.books.insert(place or len(shelf.books), book)
    return shelf.books
'''


def examples(*rows: Row) -> list[dict[str, Any]]:
    corpus = to_examples(Corpus("here", "", [Part("all", lambda aside: [Rows(rows)])]))
    return [row for batch in corpus.batches() for row in batch.to_pylist()]


def test_prose_becomes_passages_and_what_follows_them() -> None:
    sentences = [f"Sentence number {i} says something about the weather." for i in range(60)]
    rows = examples(document("book.txt", "\n".join(sentences), "book", terms=("CC0", "Ann")))
    assert [row["id"] for row in rows] == ["book.txt#0", "book.txt#1", "book.txt#2"]
    assert {(document_of(row["id"]), row["source"], row["license"]) for row in rows} == {
        ("book.txt", "book", "CC0")
    }
    said = []
    for row in rows:
        question, reply = json.loads(row["metadata"])["messages"]
        assert question["content"].startswith("Continue this text.\n\nSentence number")
        assert 0 < len(reply["content"]) <= ANSWER_CHARACTERS
        said.append(question["content"].split("\n\n", 1)[1] + " " + reply["content"])
    assert " ".join(sentences).startswith(" ".join(said))  # in order, and nothing twice


@given(content=st.text(max_size=3000))
def test_passages_never_contain_what_is_not_in_the_text(content: str) -> None:
    flat = " ".join(content.split())
    for passage, following in passages(content):
        assert f"{passage} {following}" in flat


def test_code_becomes_its_functions() -> None:
    (row,) = examples(document("shelf.py", CODE, "shop", language="python"))
    assert row["id"] == "shelf.py#add:2"
    assert answer(row["metadata"]) == "Put a book on the shelf."


def test_chats_are_examples_already() -> None:
    turns = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello."}]
    (row,) = examples(document("chat", "Hello.\n\nHi", "talk", messages=turns))
    assert (row["id"], answer(row["metadata"])) == ("chat", "Hello.")


def test_a_document_without_metadata_has_no_answer() -> None:
    assert answer(None) is None
    assert answer("{}") is None
