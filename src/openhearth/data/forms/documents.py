"""Documents as the records that other tools read; what came from them goes back as it was.

Dolma: `{id, text, source, added, created, metadata}`. datatrove: `{text, id, metadata, media}`.
RedPajama-V2 and CCNet: `{raw_content, url, date_download, …}`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import orjson

from openhearth.data.schema import ALIASES, TERMS, Row

Record = dict[str, Any]
# What CCNet writes, in its order.
CCNET = (
    "url",
    "date_download",
    "digest",
    "length",
    "nlines",
    "source_domain",
    "title",
    "raw_content",
    "cc_segment",
    "original_nlines",
    "original_length",
    "line_ids",
    "language",
    "language_score",
    "perplexity",
    "bucket",
)


def _metadata(row: Row) -> Record:
    return orjson.loads(row["metadata"] or "{}")


def _given(row: Row, names: Sequence[str], known: Record) -> Record:
    """Those columns that have a value which `known` does not have under another name."""
    others = {ALIASES[name]: value for name, value in known.items() if name in ALIASES}
    return {name: row[name] for name in names if row[name] and others.get(name) != row[name]}


def own(row: Row) -> Record:
    """Our columns, without those that are empty; metadata as an object."""
    metadata = _metadata(row)
    record = {"id": row["id"], "text": row["text"]} | _given(row, TERMS, {})
    return record | ({"metadata": metadata} if metadata else {})


def dolma(row: Row) -> Record:
    """A document of the Dolma toolkit. Terms that it has no field for go into its metadata."""
    known = _metadata(row)
    metadata = _given(row, ("url", "lang", "license", "creator"), known) | known
    record = {"id": row["id"], "text": row["text"], "source": row["source"] or "unknown"}
    for name in ("added", "version"):
        if name in metadata:
            record[name] = metadata.pop(name)
    return record | _given(row, ("created",), {}) | ({"metadata": metadata} if metadata else {})


def datatrove(row: Row) -> Record:
    """A document of datatrove, which has a text, an id, metadata and media."""
    known = _metadata(row)
    metadata = _given(row, TERMS, known) | known
    media = metadata.pop("media", None)
    record = {"text": row["text"], "id": row["id"], "metadata": metadata}
    return record if media is None else record | {"media": media}


def redpajama(row: Row) -> Record:
    """A document of CCNet, as RedPajama-V2 publishes them."""
    known = _metadata(row) | {
        "url": row["url"],
        "date_download": row["created"],
        "language": row["lang"],
        "raw_content": row["text"],
    }
    return {name: known[name] for name in CCNET if known.get(name) is not None}


DOCUMENT_FORMS: dict[str, Callable[[Row], Record]] = {
    "jsonl": own,
    "dolma": dolma,
    "datatrove": datatrove,
    "rpv2": redpajama,
}
