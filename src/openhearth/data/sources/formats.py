"""Which reader reads which file. A format is a module with `read` and one line in `FORMATS`."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain, groupby
from typing import Any

from openhearth.data.schema import Block, Corpus, Part, Quarantine, blocks
from openhearth.data.sources.code import LANGUAGES
from openhearth.data.sources.files import File, fingerprint, list_files
from openhearth.errors import NotFound, UsageError

PART_BYTES, PART_FILES = 64 << 20, 4096  # of small files that are read as one part


@dataclass(frozen=True)
class Format:
    """The module under `openhearth.data.sources` that reads files with these suffixes, and how."""

    module: str
    suffixes: tuple[str, ...]  # none if it is read only where it is named
    options: tuple[str, ...] = ()  # for the module's `read`


FORMATS = {
    "jsonl": Format("jsonl", (".jsonl", ".ndjson", ".json")),
    "parquet": Format("parquet", (".parquet",)),
    "text": Format("text", (".txt", ".md", ".markdown", ".rst", ".org", ".adoc")),
    "code": Format("code", tuple(LANGUAGES)),
    "mail": Format("mail", (".mbox", ".eml")),
    "latex": Format("latex", (".tex",)),
    "epub": Format("epub", (".epub",)),
    "transcripts": Format("transcripts", (".srt", ".vtt")),
    "xml": Format("xml", (".xml",)),  # the next two are known by their first element
    "mediawiki": Format("mediawiki", ()),
    "stackexchange": Format("stackexchange", ()),
    "html": Format("html", (".html", ".htm", ".xhtml")),
    "html-trafilatura": Format("html", (), ("trafilatura",)),
    "dictd": Format("dictd", (".dict",)),
    "archive": Format("archives", (".zip", ".tar", ".tgz", ".tbz2", ".txz")),
    "warc": Format("warc", (".warc", ".wet")),
    "warc-trafilatura": Format("warc", (), ("trafilatura",)),
}


def read_files(location: str, kind: str | None = None) -> Corpus:
    """The corpus in the files that a location means, a part for each file.

    Raises:
        NotFound: there is nothing.
        UsageError: nothing there is of a format that can be read, or there is no such format.
    """
    if kind is not None and kind not in FORMATS:
        raise UsageError(f"There is no format {kind!r}: use one of {', '.join(FORMATS)}.")
    files = list_files(location)
    known = [(file, name) for file in files if (name := kind or format_of(file))]
    if not known:
        raise NotFound(
            f"{location} has no text: no file there ends in .jsonl, .parquet, .txt, .md, .html, "
            ".warc or another suffix that is known; name the format if files are of one."
        )
    parts = [Part(group[0][0].name, partial(read_group, group)) for group in _groups(known)]
    return Corpus(location, fingerprint(files, kind), parts)


def _groups(files: list[tuple[File, str]]) -> Iterator[list[tuple[File, str]]]:
    """Files that make one part: one that is large, or many that are small."""
    group: list[tuple[File, str]] = []
    size = 0
    for file, name in files:
        if group and (size + file.size > PART_BYTES or len(group) >= PART_FILES):
            yield group
            group, size = [], 0
        group.append((file, name))
        size += file.size
    if group:
        yield group


def format_of(file: File) -> str | None:
    """The format of a file, by its suffix; None if it is of none that is known."""
    matches = (name for name, known in FORMATS.items() if file.suffix in known.suffixes)
    return next(matches, None)


def read_group(files: Iterable[tuple[File, str]], quarantine: Quarantine) -> Iterator[Block]:
    """The blocks of some files, one after the other. Readers give blocks, or rows, which become
    blocks here.
    """
    for gives_blocks, group in groupby(files, lambda known: _gives_blocks(known[1])):
        found = chain.from_iterable(_read(file, name, quarantine) for file, name in group)
        yield from found if gives_blocks else blocks(found)


def _gives_blocks(name: str) -> bool:
    return getattr(_reader(name), "READS_BLOCKS", False)


def _read(file: File, name: str, quarantine: Quarantine) -> Iterator[Any]:
    return _reader(name).read(file, quarantine, *FORMATS[name].options)


def _reader(name: str) -> Any:
    return importlib.import_module(f"openhearth.data.sources.{FORMATS[name].module}")
