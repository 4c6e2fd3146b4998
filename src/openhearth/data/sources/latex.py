r"""LaTeX as arXiv has it: `.tex` files and, if asked for `latex`, archives of one paper or many.

A paper is one document, cleaned by `tex.py`; the files that it includes come from its own archive
only. What has no heading has no text, as in RedPajama-V1. A tape of arXiv's, a tar of `ID.gz`, is
a document for each paper. Bytes that are not UTF-8 are read as the paper says by `inputenc`.
"""

from __future__ import annotations

import gzip
import io
import re
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, BinaryIO, cast

import pyarrow as pa

from openhearth.data.schema import Quarantine, Row, blocks, document, to_batch
from openhearth.data.sources import tex
from openhearth.data.sources.archives import FLOOR, RATIO, Bounded, Broken, Budget
from openhearth.data.sources.files import File
from openhearth.data.sources.text import LARGEST, source_of

READS_BLOCKS = True
_ID = re.compile(r"(?:arXiv-)?((?:[a-z-]+\d{7}|\d{4}\.\d{4,5})(?:v\d+)?)")
CHARSETS = {f"latin{n}": f"iso-8859-{n}" for n in range(1, 9)} | {
    "latin9": "iso-8859-15",
    "ansinew": "windows-1252",
}
_ENCODING = re.compile(rb"\\usepackage\s*\[(latin[1-9]|ansinew|cp125\d|koi8-r)\]\s*\{inputenc\}")


def read(file: File, quarantine: Quarantine) -> Iterator[Papers]:
    """The papers of a file, some at a time."""
    for block in blocks(_papers(file, quarantine)):
        yield Papers(file.name, block.rows)


def _papers(file: File, quarantine: Quarantine) -> Iterator[Row]:
    """Papers as their sources, or as they are packed in a tape."""
    try:
        with file.open() as stream:
            is_tar = _begins_tar(stream)
        with file.open() as stream:
            if is_tar:
                yield from _archived(stream, file)
            else:
                name = file.plain_name.removesuffix(".tex")
                yield {"name": name, "text": b"", "files": {"main.tex": _whole(stream)}}
    except Broken as error:
        quarantine.add(f"cannot be read further ({error})", file.name)


def _begins_tar(stream: BinaryIO) -> bool:
    try:
        tarfile.TarInfo.frombuf(stream.read(tarfile.BLOCKSIZE), "utf-8", "replace")
    except tarfile.HeaderError:
        return False
    return True


def _archived(stream: BinaryIO, file: File) -> Iterator[Row]:
    """The papers of a tape, or the one paper whose files these are."""
    sources: dict[str, bytes] = {}
    for name, data in _members(stream, Budget(max(RATIO * file.size, FLOOR))):
        path = PurePosixPath(name)
        if path.suffix == ".tex":
            sources[name] = data
            _check(sum(map(len, sources.values())))
        elif _ID.fullmatch(path.stem):
            yield {"name": path.stem, "text": data}
    if sources:
        yield {"name": file.plain_name.removesuffix(".tar"), "text": b"", "files": sources}


def _members(stream: BinaryIO, budget: Budget) -> Iterator[tuple[str, bytes]]:
    """The names and bytes of the files in a tar that are sources, or papers."""
    bounded = cast(BinaryIO, Bounded(stream, budget))
    with tarfile.TarFile(fileobj=bounded) as archive:
        while info := archive.next():
            cast(Any, archive).members.clear()  # it would keep them all
            content = archive.extractfile(info) if info.isreg() and not info.issparse() else None
            if content and info.name.endswith((".tex", ".gz")):
                yield info.name, _whole(cast(BinaryIO, content))


def _whole(stream: BinaryIO) -> bytes:
    data = stream.read(LARGEST + 1)
    _check(len(data))
    return data


def _check(size: int) -> None:
    if size > LARGEST:
        raise OSError(f"a paper larger than {LARGEST >> 20} MiB")


@dataclass(frozen=True)
class Papers:
    """Some papers, as their sources or still packed."""

    file: str
    papers: Sequence[Row]

    def batch(self, quarantine: Quarantine) -> pa.RecordBatch:
        """The papers as documents; those without a heading go to the quarantine."""
        rows = []
        for paper in self.papers:
            try:
                sources = paper.get("files") or _unpacked(paper["text"])
                rows.append(_row(paper["name"], _decoded(sources), source_of(self.file)))
            except Broken as error:
                quarantine.add(str(error), f"{self.file}/{paper['name']}")
        return to_batch(rows, quarantine)


def _unpacked(data: bytes) -> dict[str, bytes]:
    """The sources in a paper of a tape, which is one file or a tar."""
    stream = cast(BinaryIO, gzip.GzipFile(fileobj=io.BytesIO(data)))
    if not _begins_tar(stream):
        return {"main.tex": _whole(cast(BinaryIO, gzip.GzipFile(fileobj=io.BytesIO(data))))}
    stream.seek(0)
    members = _members(stream, Budget(4 * LARGEST))
    return {name: content for name, content in members if name.endswith(".tex")}


def _decoded(sources: Mapping[str, bytes]) -> dict[str, str]:
    said = next(filter(None, map(_ENCODING.search, sources.values())), None)
    charset = CHARSETS.get(said[1].decode(), said[1].decode()) if said else "utf-8"
    decoded = {}
    for name, data in sources.items():
        try:
            decoded[name] = data.decode("utf-8-sig")
        except UnicodeDecodeError:
            try:
                decoded[name] = data.decode(charset)
            except UnicodeDecodeError as error:
                raise ValueError("not UTF-8, nor what it says") from error
    return decoded


def _row(name: str, sources: Mapping[str, str], source: str) -> Row:
    text = tex.clean(sources)
    if not text:
        raise ValueError("a paper without a heading")
    title = tex.title(sources)
    about: dict[str, Any] = {"title": title} if title else {}
    row = document(name, text, source, **about)
    found = _ID.fullmatch(PurePosixPath(name).name)
    return {**row, "url": f"https://arxiv.org/abs/{_with_slash(found[1])}" if found else ""}


def _with_slash(identity: str) -> str:
    """`hep-th/9901001` for `hep-th9901001`, as arXiv writes its old numbers."""
    return re.sub(r"^([a-z-]+)(?=\d)", r"\1/", identity)
