"""A corpus: Arrow record batches of documents, and a count of what could not be read."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

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
SHOWN = 20  # quarantined records kept as examples


@dataclass
class Quarantine:
    """What was set aside: how often for each reason, and the first few places."""

    counts: Counter[str] = field(default_factory=Counter)
    examples: list[dict[str, str]] = field(default_factory=list)

    def add(self, reason: str, where: str) -> None:
        """Set one record aside."""
        self.counts[reason] += 1
        if len(self.examples) < SHOWN:
            self.examples.append({"reason": reason, "where": where})

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {"counts": dict(sorted(self.counts.items())), "examples": self.examples}


Part = tuple[str, Callable[[Quarantine], Iterable[dict[str, Any]]]]


@dataclass(frozen=True)
class Corpus:
    """Documents at a location, in parts that can be read one by one, always in the same order.

    `fingerprint` changes when what is there changes.
    """

    location: str
    fingerprint: str
    parts: Sequence[Part]
    quarantine: Quarantine = field(default_factory=Quarantine)

    def batches(self, rows: int = 1000) -> Iterator[pa.RecordBatch]:
        """All documents, `rows` at a time."""
        documents = (d for _, read in self.parts for d in read(self.quarantine))
        while chunk := list(itertools.islice(documents, rows)):
            yield pa.RecordBatch.from_pylist(chunk, schema=SCHEMA)


def document(
    identity: str, text: str, source: str, *, terms: tuple[str, str] = ("", ""), **metadata: Any
) -> dict[str, Any]:
    """A row of `SCHEMA`; `terms` are licence and creator, further keywords become its metadata."""
    return {
        "id": identity,
        "text": text,
        "source": source,
        "license": terms[0],
        "creator": terms[1],
        "metadata": json.dumps(metadata, ensure_ascii=False, sort_keys=True),
    }
