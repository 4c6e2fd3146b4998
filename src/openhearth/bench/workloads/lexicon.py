"""The words and frames that texts are made of, from the file beside this one."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path

IRREGULAR = ("ch", "fe", "f", "s", "sh", "x", "y")
FILE = Path(__file__).with_name("lexicon.toml")


@cache
def words(kind: str) -> list[str]:
    """All words of a class, such as `thing` or `where`."""
    return [" ".join(word.split()) for word in _file()["words"][kind].split(",")]


@cache
def nouns() -> list[str]:
    """Things of one word, whose plural has an s and no more."""
    return [w for w in words("thing") if w.isalpha() and not w.endswith(IRREGULAR)]


@cache
def adjectives() -> list[str]:
    """Qualities of one word."""
    return [word for word in words("quality") if word.isalpha()]


@cache
def frames(kind: str) -> list[str]:
    """Sentences of a kind, such as `question`, with their words left out."""
    return _file()["frames"][kind].strip().splitlines()


@cache
def _file() -> dict[str, dict[str, str]]:
    return tomllib.loads(FILE.read_text())
