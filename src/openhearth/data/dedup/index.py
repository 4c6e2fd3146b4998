"""What was seen before, kept in a folder, so that new documents can be held against old ones.

A file of sorted keys and a manifest that names it. A merge writes a new file and then, atomically,
a new manifest: a crash leaves the index as it was.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from openhearth.errors import HearthError, UsageError
from openhearth.store.disk import locked, write_atomically

VERSION = 1
MANIFEST = "manifest.json"
LOCK = ".lock"
LARGEST = 1 << 16  # bytes of a manifest
CHUNK = 1 << 18  # keys read at once


class SeenIndex:
    """Keys of `words` words of 64 bits, made with some settings; empty while there is no folder.

    `count` is how many there are. `generation` counts its merges, and `last` names the last one.

    Raises:
        UsageError: the folder holds keys that were made with other settings.
        HearthError: it is damaged.
    """

    def __init__(self, folder: Path, words: int, settings: Mapping[str, Any]) -> None:
        self._folder = folder
        self._words = words
        self._settings = dict(settings)
        self.generation, self.last, self.count = 0, "", 0
        manifest = folder / MANIFEST
        if not manifest.exists():
            if folder.exists() and (not folder.is_dir() or {*os.listdir(folder)} - {LOCK}):
                raise UsageError(f"{folder} is no index of what was seen: name a new folder.")
            return
        self._read(manifest)

    def chunks(self, which: range) -> Iterator[np.ndarray]:
        """The keys of these numbers, uint64 [m, words], some at a time.

        Raises:
            HearthError: they are not in order.
        """
        for begin in which[::CHUNK]:
            before = min(begin, 1)  # the key before them, which must be lower
            size = min(CHUNK, which.stop - begin) + before
            start = 8 * self._words * (begin - before)
            keys = np.fromfile(self._file, "<u8", size * self._words, offset=start)
            keys = keys.reshape(-1, self._words)
            if not _rises(keys):
                raise self._damaged("its keys are not in order")
            yield keys[before:]

    def merge(self, keys: Path, name: str) -> None:
        """Take over a file of sorted keys that holds all of these, and more; `name` is kept as
        `last`, so that a run that goes on knows whether it came to this.

        Raises:
            HearthError: others have merged since this was read.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        with locked(self._folder / LOCK):
            now = SeenIndex(self._folder, self._words, self._settings)
            if now.generation != self.generation:
                raise HearthError(
                    f"{self._folder} was extended meanwhile, and does not hold this corpus: do it "
                    "again."
                )
            self._merge(keys, name)

    def _merge(self, keys: Path, name: str) -> None:
        before = self._file
        self.generation += 1
        self.last = name
        self.count = keys.stat().st_size // (8 * self._words)
        temporary = self._file.with_suffix(".part")
        shutil.copyfile(keys, temporary)
        os.replace(temporary, self._file)
        manifest = {
            "version": VERSION,
            "generation": self.generation,
            "last": self.last,
            "keys": self.count,
            "words": self._words,
            "settings": self._settings,
        }
        write_atomically(self._folder / MANIFEST, orjson.dumps(manifest))
        before.unlink(missing_ok=True)

    @property
    def _file(self) -> Path:
        return self._folder / f"{self.generation:06}.keys"

    def _read(self, manifest: Path) -> None:
        try:
            with manifest.open("rb") as file:
                raw = orjson.loads(file.read(LARGEST))
            version, settings, words = raw["version"], raw["settings"], raw["words"]
            self.last = str(raw["last"])
            numbers = [int(raw[name]) for name in ("generation", "keys")]
        except (ValueError, TypeError, KeyError, OverflowError) as error:
            raise self._damaged("its manifest cannot be read") from error
        if version != VERSION:
            raise self._damaged(f"its version is {version}, not {VERSION}")
        if settings != self._settings or words != self._words:
            raise UsageError(
                f"{self._folder} was made with {settings}, not {self._settings}: name another "
                "index, or use its settings."
            )
        self.generation, self.count = numbers
        try:
            size = self._file.stat().st_size
        except (OSError, ValueError) as error:
            raise self._damaged("its keys are missing") from error
        if min(numbers) < 0 or size != 8 * self._words * self.count:
            raise self._damaged("its keys are not as many as it says")

    def _damaged(self, why: str) -> HearthError:
        return HearthError(f"{self._folder} is damaged, {why}: make it anew.")


def _rises(keys: np.ndarray) -> bool:
    """Whether each row is above the one before."""
    above = np.zeros(len(keys) - 1, bool)
    equal = np.ones(len(keys) - 1, bool)
    for column in keys.T:
        above |= equal & (column[1:] > column[:-1])
        equal &= column[1:] == column[:-1]
    return bool(above.all())
