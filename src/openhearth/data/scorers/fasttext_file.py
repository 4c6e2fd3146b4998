"""fastText's model files, checked before fastText reads them, since it trusts every number there.

The format is that of `FastText::saveModel` (github.com/facebookresearch/fastText, version 12), all
little-endian: magic and version; 12 settings and a threshold; the dictionary, words before labels;
a flag and a matrix of inputs; a flag and a matrix of outputs. Read are supervised models that are
not quantised, and whose labels are not in a tree, which fastText walks however deep it is.
"""

from __future__ import annotations

import mmap
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from openhearth.errors import NotFound, UsageError

START = struct.Struct("<ii12id")  # magic, version, settings, threshold
DICTIONARY = struct.Struct("<iiiqq")  # entries, words, labels, tokens, pruned
ENTRY = struct.Struct("<qb")  # after the text and its 0: count, type
MATRIX = struct.Struct("<?qq")  # quantised, rows, columns
MAGIC, VERSION, SUPERVISED, FLAT = 793712314, 12, 3, (2, 3, 4)
WORD, LABEL = 0, 1
LARGEST = 1e6  # of a weight: products of sums of them are numbers
LONGEST = 64  # n-gram: all up to this length are made of a text


@dataclass(frozen=True)
class Settings:
    """What is needed of a model's settings."""

    dimensions: int
    buckets: int


def check(path: Path) -> list[str]:
    """The labels of a model whose parts fit together and fill the file exactly.

    Raises:
        NotFound: there is no such file.
        UsageError: it is no such model.
    """
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            settings = _settings(data)
            words, labels, place = _dictionary(data, START.size)
            rows = words + settings.buckets
            place = _matrix(data, place, rows, settings.dimensions)
            place = _matrix(data, place, len(labels), settings.dimensions)
            _require(place == len(data), "it goes on after its end")
            return labels
    except FileNotFoundError as error:
        raise NotFound(f"There is no model {path}: check its name.") from error
    except (ValueError, OSError, struct.error) as error:
        raise UsageError(
            f"{path} is no fastText classifier that can be read ({error}): give a supervised .bin "
            "model that is not quantised."
        ) from error


def _require(condition: bool, otherwise: str) -> None:
    if not condition:
        raise ValueError(otherwise)


def _settings(data: mmap.mmap) -> Settings:
    magic, version, *settings, _ = START.unpack_from(data)
    dimensions, _, _, _, _, ngrams, loss, model, buckets, shortest, longest, _ = settings
    _require((magic, version) == (MAGIC, VERSION), "it is of another version")
    _require(model == SUPERVISED, "it is not supervised")
    _require(loss in FLAT, "its labels are in a tree (hierarchical softmax)")
    _require(0 < dimensions <= 1 << 16 and buckets >= 0, "its sizes are not possible")
    lengths = (ngrams, shortest, longest)
    _require(all(0 <= n <= LONGEST for n in lengths), "its n-grams have no possible length")
    _require(buckets > 0 or (ngrams <= 1 and longest == 0), "it has no buckets for its n-grams")
    return Settings(dimensions, buckets)


def _dictionary(data: mmap.mmap, place: int) -> tuple[int, list[str], int]:
    """How many words there are, the labels, and where the dictionary ends."""
    size, words, labels, _, pruned = DICTIONARY.unpack_from(data, place)
    place += DICTIONARY.size
    _require(words >= 0 and labels > 0 and size == words + labels, "its dictionary is broken")
    _require(pruned == -1, "it is pruned")
    _require(size * (ENTRY.size + 1) <= len(data) - place, "its dictionary is cut off")
    names = []
    for i in range(size):
        end = data.find(b"\0", place)
        _require(end >= 0, "its dictionary is cut off")
        count, kind = ENTRY.unpack_from(data, end + 1)
        _require(kind == (WORD if i < words else LABEL) and count >= 0, "its dictionary is broken")
        if kind == LABEL:
            names.append(data[place:end].decode("utf-8", "replace"))
        place = end + 1 + ENTRY.size
    return words, names, place


def _matrix(data: mmap.mmap, place: int, rows: int, columns: int) -> int:
    """Where a matrix of float32 of this shape ends."""
    quantised, *shape = MATRIX.unpack_from(data, place)
    _require(not quantised, "it is quantised")
    _require(shape == [rows, columns], "its matrices do not fit its dictionary")
    place += MATRIX.size
    _require(4 * rows * columns <= len(data) - place, "it is cut off")
    step = 1 << 22  # numbers that are looked at together
    for begin in range(0, rows * columns, step):
        count = min(step, rows * columns - begin)
        numbers = np.frombuffer(data, "<f4", count, place + 4 * begin)
        fits = bool(np.all(np.abs(numbers) <= LARGEST))
        del numbers  # or the map cannot be closed
        _require(fits, "its weights are no numbers")
    return place + 4 * rows * columns
