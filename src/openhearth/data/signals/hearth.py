"""OpenHearth's own signals: what the known rule sets look at and RedPajama-V2 does not have."""

from __future__ import annotations

import re

from openhearth.data.pii import find_pii
from openhearth.data.signals.views import Document, Lines, Value, Views, repeated, share

LINE_END = re.compile(r"\n+")
PARAGRAPH_END = re.compile(r"\n{2,}")
TABLE_BITS = 14


def _lines(views: Views) -> list[str]:
    return LINE_END.split(views.text)


def _paragraphs(views: Views) -> list[str]:
    return PARAGRAPH_END.split(views.text.strip())


def _duplicate_lines(views: Views) -> Value:
    """The share of lines that come after an equal one (Gopher, as datatrove counts it)."""
    return repeated(_lines(views))[0] / len(_lines(views)) if views.text else None


def _duplicate_line_characters(views: Views) -> Value:
    """Their characters, of all."""
    return share(repeated(_lines(views))[1], len(views.text))


def _duplicate_paragraphs(views: Views) -> Value:
    """The same of paragraphs, which empty lines separate."""
    return repeated(_paragraphs(views))[0] / len(_paragraphs(views)) if views.text else None


def _duplicate_paragraph_characters(views: Views) -> Value:
    return share(repeated(_paragraphs(views))[1], len(views.text))


def _longest_word(views: Views) -> Value:
    """Characters of the longest word between spaces."""
    return float(max(map(len, views.spaced), default=0))


def _newlines_per_word(views: Views) -> Value:
    """FineWeb's sign of a list. Words are tokens."""
    return share(views.text.count("\n"), len(views.tokens))


def _pii_count(views: Views) -> Value:
    """E-mail addresses, telephone numbers and IP addresses."""
    return float(len(find_pii(views.text)))


def _compression_ratio(views: Views) -> Value:
    """The bytes that a greedy LZ77 parse needs, of all: low where a text repeats itself.

    Literals cost one byte and matches, of four bytes or more, three. Not zlib's ratio, which
    depends on the version of zlib.
    """
    data = views.text.encode()
    return share(_compressed_size(data), len(data))


def _compressed_size(data: bytes) -> int:
    places: dict[int, int] = {}
    size = i = 0
    while i + 4 <= len(data):
        four = data[i : i + 4]
        slot = int.from_bytes(four, "little") * 2654435761 % (1 << 32) >> (32 - TABLE_BITS)
        earlier, length = places.get(slot), 0
        places[slot] = i
        if earlier is not None and data[earlier : earlier + 4] == four:
            length = 4
            while i + length < len(data) and data[earlier + length] == data[i + length]:
                length += 1
        size += 3 if length else 1
        i += length or 1
    return size + len(data) - i


DOCUMENT: Document = {
    "oh_dup_line_frac": _duplicate_lines,
    "oh_dup_line_char_frac": _duplicate_line_characters,
    "oh_dup_para_frac": _duplicate_paragraphs,
    "oh_dup_para_char_frac": _duplicate_paragraph_characters,
    "oh_max_word_len": _longest_word,
    "oh_newline_word_ratio": _newlines_per_word,
    "oh_pii_count": _pii_count,
    "oh_compression_ratio": _compression_ratio,
}
LINES: Lines = {}
