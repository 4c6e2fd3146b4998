"""Signals in the form in which RedPajama-V2 publishes them: one JSON object a document.

`{"id", "id_int", "metadata", "quality_signals": {name: [[start, end, value], …]}}`: a document
signal spans the text, a line signal has a span for each line, in characters; undefined is null. The
order and the types of everything are those of RedPajama-Data, `app/src/core/worker.py`.

The text is made column by column, because values outnumber documents a thousand times.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from openhearth.data.hashes import id_int
from openhearth.data.signals.names import CCNET, CLASSIFIERS, LINE_SIGNALS, WEIGHTED

RPV2 = (
    *CCNET,
    "rps_doc_curly_bracket",
    "rps_doc_ldnoobw_words",
    "rps_doc_lorem_ipsum",
    "rps_doc_stop_word_fraction",
    "rps_doc_ut1_blacklist",
    *(f"rps_doc_frac_chars_dupe_{n}grams" for n in (10, 5, 6, 7, 8, 9)),
    *(f"rps_doc_frac_chars_top_{n}gram" for n in (2, 3, 4)),
    "rps_doc_frac_all_caps_words",
    "rps_doc_frac_lines_end_with_ellipsis",
    "rps_doc_frac_no_alph_words",
    "rps_doc_frac_unique_words",
    "rps_doc_mean_word_length",
    "rps_doc_num_sentences",
    "rps_doc_symbol_to_word_ratio",
    "rps_doc_unigram_entropy",
    "rps_doc_word_count",
    *(name for name in LINE_SIGNALS if name.startswith("rps_")),
    *CLASSIFIERS,
    *WEIGHTED,
)
# Counts that the reference writes without a point.
WHOLE = {"rps_doc_word_count", "rps_doc_ut1_blacklist", "rps_lines_num_words"}
BULLETS = "rps_lines_start_with_bulletpoint"  # the one line signal that an empty text has, null
SNAPSHOT = re.compile(r"\b\d{4}-\d{2}\b")


def to_rpv2(
    documents: pa.RecordBatch | pa.Table, signals: pa.Table, names: Iterable[str] = RPV2
) -> Iterator[bytes]:
    """A JSON object for each document, given its signals in the row of the same number.

    `documents` need `id`, `url`, `lang` and `metadata` of `SCHEMA`.
    """
    spans = Spans(signals)
    parts: list[Any] = [pa.array(map(_head, *_described(documents)), pa.large_string())]
    for i, name in enumerate(names):
        found = spans.of(name)
        if name == BULLETS:
            is_empty = pc.equal(signals.column("length"), 0).combine_chunks()
            found = pc.if_else(is_empty, _text("[[0,0,null]]"), found)
        parts += [f"{',' if i else ''}{orjson.dumps(name).decode()}:", found]
    for record in join(*parts, "}}").to_pylist():
        yield record.encode()


def _described(documents: pa.RecordBatch | pa.Table) -> list[list[Any]]:
    return [documents.column(name).to_pylist() for name in ("id", "url", "lang", "metadata")]


def _head(identity: str, url: str | None, language: str | None, metadata: str | None) -> str:
    """A record up to its first signal."""
    known = orjson.loads(metadata or "{}")
    source = known.get("cc_net_source") or identity.rpartition("/")[0]
    snapshot = SNAPSHOT.search(identity)
    record = {
        "id": identity,
        "id_int": id_int(identity),
        "metadata": {
            "cc_segment": known.get("cc_segment"),
            "cc_net_source": source,
            "url": url,
            "source_domain": known.get("source_domain"),
            "language": language,
            "snapshot_id": known.get("snapshot_id") or (snapshot and snapshot.group()),
        },
    }
    return orjson.dumps(record).decode()[:-1] + ',"quality_signals":{'


class Spans:
    """The signals of a table as JSON: for each document `[[start,end,value],…]`."""

    def __init__(self, signals: pa.Table, *, undefined: bool = True) -> None:
        """`undefined` says whether to write undefined values, as null, or to leave them out."""
        self._signals = signals
        self._undefined = undefined

    def of(self, name: str, digits: int | None = None) -> pa.Array:
        """One signal, a text for each document; `digits` are those kept after the point."""
        column = self._signals.column(name).combine_chunks()
        if not pa.types.is_list(column.type):
            found = join(self._documents, _numbers(column, name, digits), "]]")
            return found if self._undefined else pc.if_else(column.is_valid(), found, _text("[]"))
        values, offsets = column.flatten(), self._offsets
        spans = join(self._lines, _numbers(values, name, digits), "]")
        if not self._undefined and values.null_count:
            valid = values.is_valid()
            spans = spans.filter(valid)
            offsets = np.concatenate(([0], np.cumsum(valid)))[offsets]
        lists = pa.LargeListArray.from_arrays(pa.array(offsets, pa.int64()), spans)
        return join("[", pc.binary_join(lists, _text(",")), "]")

    @cached_property
    def _documents(self) -> pa.Array:
        """What each value of a document begins with."""
        return join("[[0,", self._signals.column("length").combine_chunks(), ",")

    @cached_property
    def _offsets(self) -> np.ndarray:
        """Where each document's lines begin among all lines: int64 [documents + 1]."""
        sizes = pc.list_value_length(self._signals.column("line_ends").combine_chunks())
        return np.concatenate(([0], np.cumsum(sizes.to_numpy(), dtype=np.int64)))

    @cached_property
    def _lines(self) -> pa.Array:
        """What each value of a line begins with."""
        ends = self._signals.column("line_ends").combine_chunks().flatten()
        starts = np.concatenate(([0], ends.to_numpy()))
        starts[self._offsets] = 0
        return join("[", pa.array(starts[: len(ends)]), ",", ends, ",")


def _numbers(values: pa.Array, name: str, digits: int | None) -> pa.Array:
    """Numbers as JSON has them: `1.0`, or `1` where the reference has a whole number."""
    # Few are different, such as the shares of short lines.
    encoded = values.dictionary_encode("encode")
    distinct = encoded.dictionary.to_pylist()
    if digits is not None:
        distinct = [v if v is None else round(v, digits) for v in distinct]
    elif name in WHOLE:
        distinct = [v if v is None else int(v) for v in distinct]
    texts = [orjson.dumps(v).decode() for v in distinct]
    return pa.array(texts, pa.large_string()).take(encoded.indices)


def _text(plain: str) -> pa.Scalar:
    return pa.scalar(plain, pa.large_string())


def join(*parts: Any) -> pa.Array:
    """Columns and constants, side by side, as text."""
    texts = [_text(p) if isinstance(p, str) else p.cast(pa.large_string()) for p in parts]
    return pc.binary_join_element_wise(*texts, _text(""))
