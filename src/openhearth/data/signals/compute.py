"""The signals of a batch of texts: natively where the extension was built, else in plain Python."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np
import pyarrow as pa

from openhearth.data.signals.lists import ENGLISH, NO_LISTS, Lists
from openhearth.data.signals.names import DOCUMENT_SIGNALS, FAMILIES, LINE_SIGNALS
from openhearth.data.signals.views import Views
from openhearth.data.texts import buffers
from openhearth.errors import UsageError

try:
    import openhearth._native as _native
except ImportError:  # installed without a compiler
    _native = None

BUILT_IN = {"en": Lists(ENGLISH)}


def native_available() -> bool:
    """Whether the C++ extension was built; without it signals are computed many times slower."""
    return _native is not None


@dataclass(frozen=True)
class Weights:
    """Importance weights of features: float64 [buckets, domains], and the domains' names."""

    domains: tuple[str, ...]
    values: np.ndarray


NO_WEIGHTS = Weights((), np.empty((0, 0)))


def expand(signals: Sequence[str]) -> list[str]:
    """The names of signals, where a family's name stands for all of its signals, in their order.

    Raises:
        UsageError: there is no such signal or family.
    """
    wanted: set[str] = set()
    for name in signals:
        if name in FAMILIES:
            wanted |= {*FAMILIES[name].DOCUMENT, *FAMILIES[name].LINES}
        elif name in DOCUMENT_SIGNALS or name in LINE_SIGNALS:
            wanted.add(name)
        else:
            raise UsageError(f"There is no signal or family of signals {name!r}.")
    return [name for name in (*DOCUMENT_SIGNALS, *LINE_SIGNALS) if name in wanted]


def compute(
    texts: Sequence[str] | pa.Array,
    signals: Sequence[str] = ("rps", "oh"),
    *,
    lists: Mapping[str, Lists] = BUILT_IN,
    languages: Sequence[str] | None = None,
    weights: Weights = NO_WEIGHTS,
    native: bool = True,
) -> pa.Table:
    """A row for each text and a column for each of the signals, named one by one or by family.

    Document signals are float64, null where undefined; line signals are lists of float64, one value
    a line. `length` and `line_ends` are in characters. `lists` are the word lists by language, and
    `languages` says each text's (default: English). The sums of `weights` come as
    `importance.NAME`, not rounded; all else is rounded to eight decimals.

    Raises:
        UsageError: there is no such signal.
    """
    names = expand(signals)
    array = texts if isinstance(texts, pa.Array) else pa.array(texts, pa.string())
    keys = sorted(lists)
    which = [keys.index(x) if x in lists else -1 for x in languages or ["en"] * len(array)]
    make = _natively if native and _native else _plainly
    return make(array, names, [lists[key] for key in keys], which, weights).table(names, weights)


@dataclass
class _Batch:
    """Columns of document and line signals; NaN where undefined."""

    documents: list[np.ndarray]
    lines: list[np.ndarray]
    line_offsets: np.ndarray
    line_ends: np.ndarray
    lengths: np.ndarray

    def table(self, names: Sequence[str], weights: Weights) -> pa.Table:
        offsets = pa.array(self.line_offsets, pa.int32())
        ends = pa.array(self.line_ends, pa.uint32())
        columns: dict[str, Any] = {
            "length": pa.array(self.lengths, pa.uint32()),
            "line_ends": pa.ListArray.from_arrays(offsets, ends),
        }
        documents = [name for name in names if name in DOCUMENT_SIGNALS]
        documents += [f"importance.{domain}" for domain in weights.domains]
        for name, values in zip(documents, self.documents, strict=True):
            columns[name] = pa.array(values, pa.float64(), from_pandas=True)
        lines = [name for name in names if name in LINE_SIGNALS]
        for name, values in zip(lines, self.lines, strict=True):
            inner = pa.array(values, pa.float64(), from_pandas=True)
            columns[name] = pa.ListArray.from_arrays(offsets, inner)
        return pa.table(columns)


def _natively(
    array: pa.Array, names: list[str], lists: list[Lists], which: list[int], weights: Weights
) -> _Batch:
    settings = _native.Settings(
        [_native.Lists(sorted(x.stop_words), x.bad_words_by_length()) for x in lists],
        np.ascontiguousarray(weights.values, np.float64).reshape(-1),
        len(weights.domains),
    )
    wanted = set(names)
    documents = [name in wanted for name in DOCUMENT_SIGNALS] + [True] * len(weights.domains)
    lines = [name in wanted for name in LINE_SIGNALS]
    data, offsets = buffers(array.cast(pa.string()))
    return _Batch(
        *_native.signals(data, offsets, documents, lines, settings, np.array(which, np.int8))
    )


def _plainly(
    array: pa.Array, names: list[str], lists: list[Lists], which: list[int], weights: Weights
) -> _Batch:
    wanted = set(names)
    document_signals = [f for m in FAMILIES.values() for n, f in m.DOCUMENT.items() if n in wanted]
    line_signals = [f for m in FAMILIES.values() for n, f in m.LINES.items() if n in wanted]
    documents: list[list[float]] = []
    lines: list[list[float]] = [[] for _ in line_signals]
    ends: list[int] = []
    offsets, lengths = [0], []
    for text, language in zip(array.to_pylist(), which, strict=True):
        views = Views(text, lists[language] if language >= 0 else NO_LISTS)
        row = [_rounded(signal(views)) for signal in document_signals]
        sums = importance(views.raw_words, weights)
        documents.append(row + (sums if text else [math.nan] * len(sums)))
        for column, signal in zip(lines, line_signals, strict=True):
            column += map(_rounded, signal(views))
        ends += accumulate(map(len, views.lines))
        offsets.append(len(ends))
        lengths.append(len(text))
    width = len(document_signals) + len(weights.domains)
    return _Batch(
        list(np.array(documents, np.float64).reshape(len(documents), width).T),
        [np.array(column, np.float64) for column in lines],
        np.array(offsets, np.int32),
        np.array(ends, np.uint32),
        np.array(lengths, np.uint32),
    )


def _rounded(value: float | None) -> float:
    return math.nan if value is None else round(value, 8)


def importance(raw_words: Sequence[str], weights: Weights) -> list[float]:
    """For each domain the sum of the weights of a text's features, see `feature_buckets`."""
    found = np.zeros(len(weights.domains))
    if len(weights.domains):
        for bucket in feature_buckets(raw_words, len(weights.values)):
            found += weights.values[bucket]
    return found.tolist()


def feature_buckets(words: Sequence[str], buckets: int) -> list[int]:
    """The buckets of each word, and after it that of the pair which it ends.

    A word's hash is XXH64 of its UTF-8, a pair's is XXH64 of its two words' hashes, little-endian.
    """
    import xxhash

    features: list[int] = []
    before = b""
    for word in words:
        feature = xxhash.xxh64_intdigest(word.encode())
        features.append(feature)
        here = feature.to_bytes(8, "little")
        if before:
            features.append(xxhash.xxh64_intdigest(before + here))
        before = here
    return [feature % buckets for feature in features]
