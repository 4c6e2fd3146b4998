"""Functions with docstrings become questions and answers; nothing of theirs runs."""

from __future__ import annotations

import ast
import gc
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openhearth.data import Quarantine
from openhearth.data.functions import functions, summary

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


def test_functions_become_questions_without_their_docstring() -> None:
    found = list(functions(MODULE, "shelf.py", Quarantine()))
    assert [name for name, _, _ in found] == ["Shelf.add:7", "fetch:21"]
    _, text, (question, answer) = found[0]
    assert answer["content"] == "Put a book on the shelf. It goes to the given place."
    assert "Put a book" not in question["content"]
    code = (
        "def add(self, book, place=None):\n"
        "    self.books.insert(place or len(self.books), book)\n    return self.books"
    )
    assert question["content"].endswith(f"```python\n{code}\n```")
    assert text == f"{answer['content']}\n\n{code}"
    assert found[1][2][0]["content"].count("async def fetch(url):") == 1


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
    assert summary(docstring) == expected


@given(source=st.text(max_size=200))
def test_no_source_text_ends_the_run(source: str) -> None:
    aside = Quarantine()
    assert not (list(functions(source, "x.py", aside)) and aside.counts)


def test_sources_that_do_not_parse_are_set_aside() -> None:
    aside = Quarantine()
    assert list(functions("def broken(:", "b.py", aside)) == []
    assert list(functions("(" * 5000, "deep.py", aside)) == []
    assert aside.to_dict() == {
        "counts": {"not Python": 2},
        "examples": [
            {"reason": "not Python", "where": "b.py"},
            {"reason": "not Python", "where": "deep.py"},
        ],
    }


def test_threads_may_parse_at_once() -> None:
    """Another's turn may come in the middle of a tree: here whenever garbage is collected."""
    source = Path(ast.__file__).read_text(encoding="utf-8")

    def names(_: int) -> list[str]:
        return [name for name, _, _ in functions(source, "ast.py", Quarantine())]

    def let_others_go(phase: str, about: object) -> None:
        time.sleep(0)

    expected, before = names(0), gc.get_threshold()
    gc.callbacks.append(let_others_go)
    gc.set_threshold(50)
    try:
        with ThreadPoolExecutor(4) as pool:
            assert all(found == expected for found in pool.map(names, range(12)))
    finally:
        gc.callbacks.remove(let_others_go)
        gc.set_threshold(*before)
    assert len(expected) > 20
