"""Which row is explained: a document, or an example that it makes. What is said of it is tested in
`test_verdicts.py`.
"""

from __future__ import annotations

import pytest

from openhearth.data.explain import find
from openhearth.data.rules import load_rules
from openhearth.data.schema import Corpus, document
from openhearth.errors import NotFound
from tests.data.select.corpora import corpus_of

GOPHER, TEXT = load_rules(["gopher"]), load_rules(["text"])
LONG = " ".join(f"Sentence {i} is one that says what it says." for i in range(60))


@pytest.fixture
def corpus() -> Corpus:
    """A document that makes no example, two that make some, and one with the name of another's."""
    texts = {"short": "A word.", "long": LONG, "other": LONG.upper(), "long#1": "Not an example."}
    return corpus_of([document(name, text, "here") for name, text in texts.items()], block=2)


def found(corpus: Corpus, identity: str | None, rules: list) -> str:
    (row,) = find(corpus, identity, rules).to_pylist()
    return row["id"]


@pytest.mark.parametrize(
    ("identity", "of_document", "of_example"),
    [
        (None, "short", "long#0"),
        ("long", "long", "long#0"),
        ("other", "other", "other#0"),
        ("long#1", "long#1", "long#1"),
    ],
)
def test_what_rules_look_at(
    corpus: Corpus, identity: str | None, of_document: str, of_example: str
) -> None:
    assert found(corpus, identity, GOPHER) == of_document
    assert found(corpus, identity, TEXT) == of_example


def test_an_example_is_not_a_document_of_its_name(corpus: Corpus) -> None:
    (example,) = find(corpus, "long#1", TEXT).to_pylist()
    assert example["text"] in LONG
    (whole,) = find(corpus, "long#1", GOPHER).to_pylist()
    assert whole["text"] == "Not an example."


def test_what_is_not_there(corpus: Corpus) -> None:
    with pytest.raises(NotFound, match="no document none"):
        find(corpus, "none", TEXT)
    with pytest.raises(NotFound, match="no document other#1"):
        find(corpus, "other#1", GOPHER)
    with pytest.raises(NotFound, match="short makes no examples"):
        find(corpus, "short", TEXT)
    with pytest.raises(NotFound, match="holds no documents"):
        find(Corpus("here", "", []), None, GOPHER)
