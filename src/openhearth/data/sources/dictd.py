"""Dictionaries in the format of dictd: an index of headwords, and a file that their entries lie in.

A line of `NAME.index` is headword, offset and length, the numbers in base 64 with the digits of
RFC 1341 (dictfmt(1)); `NAME.dict.dz` is a gzip file. An entry is one document, however many
headwords lead to it.
"""

from __future__ import annotations

from collections.abc import Iterator

from openhearth.data.schema import Quarantine, Row, document
from openhearth.data.sources.files import Errors, File

DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
LARGEST = 256 << 20  # bytes of a whole dictionary


def read(file: File, quarantine: Quarantine) -> Iterator[Row]:
    """The entries, in the order in which they lie."""
    stem = file.name.rpartition("/")[2].partition(".")[0]
    try:
        places = _index(file)
        with file.open() as stream:
            data = stream.read(LARGEST + 1)
    except Errors as error:
        quarantine.add(f"no dictionary that can be read ({error})", file.name)
        return
    for (offset, length), headword in sorted(places.items()):
        entry = data[offset : offset + length]
        if len(entry) < length or offset + length > LARGEST:
            quarantine.add("an entry beyond the end", file.name, offset)
            continue
        text = entry.decode("utf-8", "replace").strip()
        if text and not headword.startswith("00-database"):
            yield document(f"{stem}/{offset}", text, stem, headword=headword)


def _index(file: File) -> dict[tuple[int, int], str]:
    """The first headword of each place."""
    beside = file.url.rpartition(".dict")[0] + ".index"
    index = File(beside, file.name, 0, "")
    places: dict[tuple[int, int], str] = {}
    with index.open_raw() as stream:
        for line in stream.read(LARGEST).decode("utf-8", "replace").splitlines():
            headword, _, numbers = line.partition("\t")
            offset, _, length = numbers.partition("\t")
            places.setdefault((_number(offset), _number(length)), headword)
    return places


def _number(digits: str) -> int:
    value = 0
    for digit in digits.strip():
        value = 64 * value + DIGITS.index(digit)
    return value
