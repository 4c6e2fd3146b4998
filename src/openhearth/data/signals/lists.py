"""Word lists of a language: stop words, and words that nobody wants to read.

English stop words ship; other lists are the user's, as files: one entry a line, or JSON, a list or
an object of lists by language. RedPajama-V2 used the lists of `stopwords-json` and LDNOOBW.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from openhearth.errors import NotFound, UsageError

# A short list of our own: the most frequent function words of English, as the raw words meet them.
ENGLISH = frozenset(
    """
    a about after all also am an and any are as at be because been but by can could do for from had
    has have he her his how i if in into is it its just me more my no not of on one only or other
    our out over she so some such than that the their them then there these they this to up was we
    were what when which who will with would you your
    """.split()  # noqa: SIM905
)


@dataclass(frozen=True)
class Lists:
    """The lists of one language. Entries of several words are separated by single spaces."""

    stop_words: frozenset[str] = frozenset()
    bad_words: frozenset[str] = frozenset()

    def bad_words_by_length(self) -> list[list[str]]:
        """Entries by their number of words; there are none of no words."""
        longest = max((entry.count(" ") + 1 for entry in self.bad_words), default=0)
        groups: list[list[str]] = [[] for _ in range(longest + 1)]
        for entry in sorted(self.bad_words):
            groups[entry.count(" ") + 1].append(entry)
        return groups


NO_LISTS = Lists()


def read_words(path: Path, language: str) -> frozenset[str]:
    """The entries of a list for a language.

    `path` is a text file with one entry a line, a JSON file (a list, or an object that has lists by
    language), or a folder with a file for each language, such as `en.txt` or `en`.

    Raises:
        NotFound: there is no such file.
        UsageError: it is not such a list, or has none for the language.
    """
    if path.is_dir():
        named = [path / f"{language}.txt", path / f"{language}.json", path / language]
        path = next((file for file in named if file.is_file()), named[0])
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise NotFound(f"There is no word list {path}: check its name.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"The word list {path} cannot be read: {error}.") from error
    if path.suffix != ".json":
        return _entries(text.splitlines())
    try:
        raw = json.loads(text)
        found = raw[language] if isinstance(raw, dict) else raw
        return _entries(found)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(
            f"{path} has no list of words for {language!r}: write a JSON list, or an object with "
            "a list for each language."
        ) from error


def _entries(lines: Iterable[str]) -> frozenset[str]:
    return frozenset(line.strip() for line in lines if line.strip())
