"""Quality signals of texts: all of them in one pass, natively where the extension was built.

The native pass serves ASCII texts, nearly all of English prose and code, and hands the others to
the plain Python reference: exact for all of Unicode without tables of our own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from openhearth.data.signals import reference

try:
    import openhearth._native as _native
except ImportError:  # installed without a compiler
    _native = None

__all__ = ["SIGNALS", "compute", "native_available", "to_redpajama"]

SIGNALS = (*reference.DOCUMENT, *reference.LINES)


def native_available() -> bool:
    """Whether the C++ extension was built; without it signals are computed several times slower."""
    return _native is not None


def compute(texts: Sequence[str], *, native: bool = True) -> pa.Table:
    """A column for each signal and a row for each text.

    Document signals are float64, null where undefined; line signals are lists of float64, one
    number a line.
    """
    stop_words = list(reference.STOP_WORDS)
    ascii_texts = [text for text in texts if text.isascii()] if native and _native else []
    quick = iter(_native.signals(ascii_texts, stop_words) if ascii_texts else ())
    rows = [
        next(quick)
        if ascii_texts and text.isascii()
        else (reference.document_signals(text), reference.line_signals(text))
        for text in texts
    ]
    columns: dict[str, Any] = {}
    for i, name in enumerate(reference.DOCUMENT):
        columns[name] = pa.array([document[i] for document, _ in rows], pa.float64())
    for i, name in enumerate(reference.LINES):
        columns[name] = pa.array([lines[i] for _, lines in rows], pa.list_(pa.float64()))
    return pa.table(columns)


def to_redpajama(text: str, row: dict[str, Any]) -> dict[str, list[list[float | None]]]:
    """One row in the form RedPajama-V2 publishes: `{signal: [[start, end, value], …]}`."""
    spans = reference.line_spans(text)
    whole = {name: [[0, len(text), row[name]]] for name in reference.DOCUMENT}
    lines = {
        name: [[a, b, value] for (a, b), value in zip(spans, row[name], strict=True)]
        for name in reference.LINES
    }
    return whole | lines
