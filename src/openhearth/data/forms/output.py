"""Where a command's result goes: one file, or a folder of parts; half a result is never seen."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from openhearth.data.forms.documents import DOCUMENT_FORMS
from openhearth.data.forms.jsonl import COMPRESSORS, JsonLines
from openhearth.data.forms.parquet import Parquet
from openhearth.errors import UsageError
from openhearth.store import write_atomically

STAMP = "stamp"


@dataclass(frozen=True)
class Output:
    """A file or folder that is wanted, and the form of what goes there."""

    path: Path
    form: Any

    @property
    def is_folder(self) -> bool:
        """Whether parts stay apart."""
        return not self.path.suffix

    @property
    def work(self) -> Path:
        """Where parts are made; it stays until the result is whole, so that a run can go on."""
        return self.path.with_name(f".{self.path.name}.parts")

    def begin(self, stamp: str) -> None:
        """Make the work directory; what another run, with another stamp, left there goes.

        Raises:
            UsageError: a folder is wanted where something lies already.
        """
        if (
            self.is_folder
            and self.path.exists()
            and (self.path.is_file() or any(self.path.iterdir()))
        ):
            raise UsageError(f"{self.path} exists already: remove it, or choose another name.")
        marker = self.work / STAMP
        if marker.exists() and marker.read_text() != stamp:
            shutil.rmtree(self.work)
        self.work.mkdir(exist_ok=True)
        write_atomically(marker, stamp.encode())

    def finish(self, files: list[Path]) -> None:
        """Make the result of its parts."""
        if self.is_folder:
            wanted = set(files)
            for path in self.work.iterdir():
                if path not in wanted:
                    path.unlink()
            os.replace(self.work, self.path)
            return
        temporary = self.work / f"whole{self.form.suffix}"
        _join(files, temporary)
        os.replace(temporary, self.path)
        shutil.rmtree(self.work)


def open_output(path: Path, form: str | None = None) -> Output:
    """What is wanted at `path`: the suffix says the format, `form` whose records (else our own).

    Raises:
        UsageError: the suffix or the form is unknown, or they do not fit.
    """
    if form is not None and form not in DOCUMENT_FORMS:
        raise UsageError(f"There is no form {form!r}: use one of {', '.join(DOCUMENT_FORMS)}.")
    compression = compression_of(path)
    if compression is None and form is None:
        return Output(path, Parquet())
    if compression is None and path.suffix:
        raise UsageError(
            f"The form {form!r} is of JSON lines: name the file .jsonl.gz or .jsonl.zst."
        )
    record = DOCUMENT_FORMS[form or "jsonl"]
    return Output(path, JsonLines(record, ".gz" if compression is None else compression))


def compression_of(path: Path) -> str | None:
    """The compression of a file of JSON lines; None for a Parquet file, or a folder.

    Raises:
        UsageError: its name says neither, or the folder that it lies in does not exist.
    """
    if not path.parent.is_dir():
        raise UsageError(f"There is no folder {path.parent}: make it first.")
    if not path.suffix or path.suffix == ".parquet":
        return None
    compression = next((c for c in COMPRESSORS if c and path.name.endswith(c)), "")
    if path.name.removesuffix(compression).endswith((".jsonl", ".json", ".ndjson")):
        return compression
    raise UsageError(
        f"{path} says no format: name it .parquet, .jsonl, .jsonl.gz or .jsonl.zst, "
        "or give a folder."
    )


def _join(files: list[Path], whole: Path) -> None:
    if whole.suffix != ".parquet":
        with whole.open("wb") as out:
            for path in files:
                with path.open("rb") as part:
                    shutil.copyfileobj(part, out, 1 << 20)
        return
    writer = None
    for path in files:
        part = pq.ParquetFile(path)
        writer = writer or pq.ParquetWriter(whole, part.schema_arrow, compression="zstd")
        for group in range(part.num_row_groups):
            writer.write_table(part.read_row_group(group))
    if writer:
        writer.close()
