"""A corpus: documents in Arrow record batches, block by block, and an account of what was set
aside.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import pyarrow as pa

from openhearth.errors import HearthError

SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("text", pa.string()),
        ("source", pa.string()),
        ("url", pa.string()),
        ("created", pa.string()),
        ("lang", pa.string()),
        ("license", pa.string()),
        ("creator", pa.string()),
        ("metadata", pa.string()),  # a JSON object; `messages` in it make a training example
    ]
)
FIELDS = tuple(SCHEMA.names)
TERMS = ("source", "url", "created", "lang", "license", "creator")
# Names that other tools have for our columns.
ALIASES = {
    "doc_id": "id",
    "date_download": "created",
    "language": "lang",
    "author": "creator",
    "license_type": "license",
}
SHOWN = 20  # quarantined records kept as examples
BLOCK_BYTES = 2 << 20  # of text, or one document more
BLOCK_ROWS = 4096

Row = dict[str, Any]


@dataclass
class Quarantine:
    """What was set aside: how often for each reason, and the first few places.

    `limit` is how many records may be; more end the run, because the source is not what it seems.
    """

    limit: int | None = None
    counts: Counter[str] = field(default_factory=Counter)
    examples: list[dict[str, Any]] = field(default_factory=list)

    def add(self, reason: str, file: str, offset: int | None = None) -> None:
        """Set one record aside. `offset` is in bytes from the beginning of the uncompressed file.

        Raises:
            HearthError: the limit is passed.
        """
        where = file if offset is None else f"{file} at byte {offset}"
        self._take({reason: 1}, [{"reason": reason, "where": where}])

    def update(self, other: dict[str, Any]) -> None:
        """Take over what another quarantine holds, as `to_dict` writes it."""
        self._take(other["counts"], other["examples"])

    def _take(self, counts: dict[str, int], examples: list[dict[str, Any]]) -> None:
        self.counts.update(counts)
        self.examples += examples[: SHOWN - len(self.examples)]
        if self.limit is not None and self.total > self.limit:
            last = examples[-1] if examples else {"reason": "see above", "where": "?"}
            raise HearthError(
                f"{self.total} records were set aside, over the limit of {self.limit} (the last "
                f"one: {last['reason']}, {last['where']}): check the source, or raise the limit."
            )

    @property
    def total(self) -> int:
        """How many records were set aside."""
        return self.counts.total()

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {"counts": dict(sorted(self.counts.items())), "examples": self.examples}


class Block(Protocol):
    """Some documents that follow each other; made into a batch by whichever thread has time."""

    def batch(self, quarantine: Quarantine) -> pa.RecordBatch:
        """The documents, in `SCHEMA`; what is none of them goes to the quarantine."""
        ...


@dataclass(frozen=True)
class Rows:
    """A block of documents that are parsed already."""

    rows: Sequence[Row]

    def batch(self, quarantine: Quarantine) -> pa.RecordBatch:
        """The documents, without those whose text or id is no proper Unicode."""
        return to_batch(self.rows, quarantine)


@dataclass(frozen=True)
class Part:
    """A piece of a corpus that can be read alone, such as a file: what is resumed after a crash."""

    name: str
    read: Callable[[Quarantine], Iterable[Block]]


@dataclass(frozen=True)
class Corpus:
    """Documents at a location, in parts that always come in the same order.

    `fingerprint` changes when what is there changes.
    """

    location: str
    fingerprint: str
    parts: Sequence[Part]
    quarantine: Quarantine = field(default_factory=Quarantine)

    def batches(self) -> Iterator[pa.RecordBatch]:
        """All documents, a block at a time."""
        for part in self.parts:
            for block in part.read(self.quarantine):
                batch = block.batch(self.quarantine)
                if batch.num_rows:
                    yield batch


def document(
    identity: str, text: str, source: str, *, terms: tuple[str, str] = ("", ""), **metadata: Any
) -> Row:
    """A row of `SCHEMA`; `terms` are licence and creator, further keywords become its metadata."""
    return {
        "id": identity,
        "text": text,
        "source": source,
        "license": terms[0],
        "creator": terms[1],
        "metadata": json.dumps(metadata, ensure_ascii=False, sort_keys=True),
    }


def blocks(rows: Iterable[Row]) -> Iterator[Rows]:
    """Rows in blocks of a few megabytes of text."""
    held: list[Row] = []
    size = 0
    for row in rows:
        held.append(row)
        size += len(row["text"])
        if size >= BLOCK_BYTES or len(held) >= BLOCK_ROWS:
            yield Rows(held)
            held, size = [], 0
    if held:
        yield Rows(held)


def to_batch(rows: Sequence[Row], quarantine: Quarantine) -> pa.RecordBatch:
    """Rows as a record batch. Those with lone surrogates, which UTF-8 has not, are set aside."""
    try:
        return _batch(rows)
    except UnicodeEncodeError:
        return _batch([row for row in rows if _is_unicode(row, quarantine)])


def _batch(rows: Sequence[Row]) -> pa.RecordBatch:
    columns = [pa.array([row.get(name) for row in rows], pa.string()) for name in FIELDS]
    return pa.RecordBatch.from_arrays(columns, schema=SCHEMA)


def _is_unicode(row: Row, quarantine: Quarantine) -> bool:
    try:
        "".join(value for value in row.values() if value).encode()
    except UnicodeEncodeError:
        quarantine.add(
            "not Unicode (lone surrogates)", row["id"].encode("utf-8", "replace").decode()
        )
        return False
    return True
