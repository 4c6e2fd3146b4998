"""A file or a folder as a corpus: functions from Python sources, passages from everything else.

A document's source is the folder at the top that its file lies in, or the file itself where there
are too few of those: whole sources are held out later, so there must be several.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from openhearth.data.schema import Corpus, Quarantine
from openhearth.data.sources import functions, jsonl, text
from openhearth.data.sources.html import main_text
from openhearth.errors import NotFound, UsageError

PROSE = {".txt", ".md", ".rst", ".tex", ".org", ".adoc"}
HTML = {".html", ".htm", ".xhtml"}
SKIPPED = {".git", ".hg", ".venv", "venv", "node_modules", "__pycache__", "build", "dist"}
MOST_FILES = 200_000
FEWEST_GROUPS = 8


def read_folder(location: str) -> Corpus:
    """The corpus in a file or under a folder. Links are not followed.

    Raises:
        NotFound: there is nothing at `location`.
        UsageError: nothing there is of a kind that can be read.
    """
    root = Path(location)
    if not root.exists():
        raise NotFound(f"There is no file or folder {location}: check the path.")
    files = _files(root)
    if not files:
        raise UsageError(
            f"{location} has no text: .py, .md, .txt, .html, .jsonl and the like are read."
        )
    folders = {name: name.split("/")[0] if "/" in name else name for name, _ in files}
    if len(set(folders.values())) < FEWEST_GROUPS:
        folders = {name: name for name, _ in files}
    parts = [(name, partial(_read, path, name, folders[name])) for name, path in files]
    return Corpus(location, _fingerprint(files), parts)


def _files(root: Path) -> list[tuple[str, Path]]:
    if root.is_file():
        return [(root.name, root)]
    found = []
    for directory, folders, names in os.walk(root):
        folders[:] = sorted(f for f in folders if f not in SKIPPED and not f.startswith("."))
        for name in sorted(names):
            path = Path(directory) / name
            if _kind(path) and not path.is_symlink():
                found.append((path.relative_to(root).as_posix(), path))
        if len(found) > MOST_FILES:
            raise UsageError(f"{root} has more than {MOST_FILES} files: give a part of it.")
    return found


def _kind(path: Path) -> str | None:
    if path.name.endswith(jsonl.SUFFIXES):
        return "jsonl"
    suffix = path.suffix.lower()
    kinds = {".py": "python"} | dict.fromkeys(PROSE, "prose") | dict.fromkeys(HTML, "html")
    return kinds.get(suffix)


def _read(path: Path, name: str, source: str, quarantine: Quarantine) -> Iterator[dict[str, Any]]:
    kind = _kind(path)
    if kind == "jsonl":
        yield from jsonl.documents(path, name, quarantine)
        return
    content = text.read_text(path, name, quarantine)
    if content is None:
        return
    if kind == "python":
        yield from functions.documents(content, name, source, quarantine)
    else:
        plain = main_text(content) if kind == "html" else content
        yield from text.documents(plain, name, source)


def _fingerprint(files: list[tuple[str, Path]]) -> str:
    hasher = hashlib.sha256()
    for name, path in files:
        hasher.update(f"{name}\0".encode())
        try:
            with path.open("rb") as file:
                hasher.update(hashlib.file_digest(file, "sha256").digest())
        except OSError:
            hasher.update(b"unreadable")
    return hasher.hexdigest()
