"""Signals as attributes of the Dolma toolkit (Soldaini et al. 2024, arXiv:2402.00159).

Attributes of `<dataset>/documents/a.jsonl.gz` are `<dataset>/attributes/<experiment>/a.jsonl.gz`, a
line for each line: `{"id", "attributes": {"<experiment>__<tagger>__<type>": [[start, end, score],
…]}}`. Places are characters; scores have five decimals; of what is undefined there are no spans.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import orjson
import pyarrow as pa

from openhearth.data.forms.jsonl import ByteWriter, compress
from openhearth.data.schema import Quarantine
from openhearth.data.signals import Resources, signal_table
from openhearth.data.signals.published import Spans, join
from openhearth.data.sources import jsonl
from openhearth.data.sources.files import File
from openhearth.errors import UsageError

DIGITS = 5  # TAGGER_SCORE_PRECISION of the toolkit
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


@dataclass(frozen=True)
class DolmaAttributes:
    """Writes signals as attributes; each keeps its name as their type.

    The compression is that of the documents, so that files have the same names.

    Raises:
        UsageError: the experiment, the tagger or a signal has a name that attributes cannot have.
    """

    experiment: str
    names: tuple[str, ...]
    tagger: str = "openhearth"
    compression: str = ".gz"

    def __post_init__(self) -> None:
        for name in (self.experiment, self.tagger, *self.names):
            if not NAME.fullmatch(name) or "__" in name:
                raise UsageError(
                    f"{name!r} cannot be part of an attribute's name: use letters, digits and "
                    "single underscores, a letter first."
                )

    @property
    def suffix(self) -> str:
        """Of its files."""
        return f".jsonl{self.compression}"

    def path(self, documents: str | PurePosixPath) -> PurePosixPath:
        """Where the attributes of a file of documents belong.

        Raises:
            UsageError: the file is in no folder `documents`.
        """
        parts = PurePosixPath(documents).parts
        if "documents" not in parts[:-1]:
            raise UsageError(
                f"{documents} is in no folder `documents`, which the Dolma toolkit needs: move it."
            )
        at = parts.index("documents")
        return PurePosixPath(*parts[:at], "attributes", self.experiment, *parts[at + 1 :])

    def attribute(self, name: str) -> str:
        """What a signal is called as an attribute."""
        return f"{self.experiment}__{self.tagger}__{name}"

    def encode(self, table: pa.Table) -> bytes:
        """The rows as compressed lines."""
        return compress(b"".join(line + b"\n" for line in self._lines(table)), self.compression)

    def _lines(self, table: pa.Table) -> Iterator[bytes]:
        spans = Spans(table, undefined=False)
        ids = [orjson.dumps(name).decode() for name in table.column("id").to_pylist()]
        parts: list[Any] = ['{"id":', pa.array(ids, pa.large_string()), ',"attributes":{']
        for i, name in enumerate(self.names):
            parts += [f'{"," if i else ""}"{self.attribute(name)}":', spans.of(name, DIGITS)]
        for line in join(*parts, "}}").to_pylist():
            yield line.encode()

    def writer(self, path: Path) -> ByteWriter:
        """A new file at `path`."""
        return ByteWriter(path)


def write_attributes(
    form: DolmaAttributes, documents: File, resources: Resources | None = None
) -> Path:
    """Write the attributes of a file of documents where they belong; a line for each of its lines.

    Raises:
        UsageError: the file is in no folder `documents`, or a line of it is no document.
    """
    path = Path(form.path(documents.url))
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.part")
    quarantine = Quarantine()
    try:
        with closing(form.writer(temporary)) as writer:
            for block in jsonl.read(documents, quarantine):
                batch = block.batch(quarantine)
                writer.write(form.encode(signal_table(batch, form.names, resources)))
        if quarantine.total:
            example = quarantine.examples[0]
            raise UsageError(
                f"{documents.name} has {quarantine.total} lines that are no documents "
                f"({example['reason']}, {example['where']}), so that attributes would stand beside "
                "the wrong ones: remove them first."
            )
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return path
