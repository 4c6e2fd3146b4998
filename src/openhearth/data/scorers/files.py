"""Model files: arrays and a JSON header in an `.npz`, read without trusting a byte of it.

Every array has one dimension, and the header says how long each must be, so all sizes are known
and checked before memory is spent on one. numpy's own loader reads the same files.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

import numpy as np
from pydantic import BaseModel, ValidationError

from openhearth.errors import NotFound, UsageError
from openhearth.store import write_atomically

HEADER = "header"
HEADER_BYTES = 1 << 16
MODEL_BYTES = 1 << 30  # of all arrays of a model in memory
DIRECTORY_BYTES = 1 << 16  # of the list of an archive's members
NPY_BYTES = 128  # before the numbers of an array
CHUNK = 1 << 20
Shapes = Mapping[str, tuple[str, int]]  # of each array its type, as numpy writes it, and length
Header = TypeVar("Header", bound=BaseModel)


class _Wrong(ValueError):
    """What is wrong with a file."""


# What zipfile and zlib raise over bytes that are no archive, or an unusual one.
_BROKEN = (ValueError, OSError, EOFError, KeyError, RuntimeError, zipfile.BadZipFile, zlib.error)


def check_size(shapes: Shapes) -> None:
    """Refuse a model that is too large.

    Raises:
        UsageError: its arrays would have more than 1 GiB.
    """
    size = sum(np.dtype(kind).itemsize * length for kind, length in shapes.values())
    if size > MODEL_BYTES:
        raise UsageError(
            f"A model with arrays of {size >> 20} MiB is over the limit of {MODEL_BYTES >> 20} "
            "MiB: take fewer buckets."
        )


def write(path: Path, header: BaseModel, arrays: Mapping[str, np.ndarray]) -> None:
    """Write a model; the same model always gives the same bytes."""
    encoded = np.frombuffer(header.model_dump_json().encode(), np.uint8)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in {HEADER: encoded, **arrays}.items():
            info = zipfile.ZipInfo(f"{name}.npy")  # without the time of day
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, _description(array.dtype.str, len(array)) + array.tobytes())
    write_atomically(path, buffer.getvalue())


def _description(kind: str, length: int) -> bytes:
    """What precedes the numbers of an array in the .npy format, version 1 (`numpy.lib.format`)."""
    text = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': ({length},), }}"
    start = b"\x93NUMPY\x01\x00" + (NPY_BYTES - 10).to_bytes(2, "little")
    return start + text.encode().ljust(NPY_BYTES - 11) + b"\n"


def read_header(path: Path, kind: type[Header]) -> Header:
    """A model's header, checked.

    Raises:
        NotFound: there is no such file.
        UsageError: it is none of these models.
    """
    try:
        with _open(path) as archive:
            length = archive.getinfo(f"{HEADER}.npy").file_size - NPY_BYTES
            if length > HEADER_BYTES:
                raise _Wrong("its header is too long")
            raw = _read(archive, HEADER, "|u1", length)
        return kind.model_validate_json(raw.tobytes())
    except _BROKEN as error:
        raise _refused(path, error) from error


def read_arrays(path: Path, shapes: Shapes) -> dict[str, np.ndarray]:
    """The arrays of a model, of these types and lengths.

    Raises:
        NotFound: there is no such file.
        UsageError: it does not hold exactly these arrays.
    """
    check_size(shapes)
    try:
        with _open(path) as archive:
            if sorted(archive.namelist()) != sorted(f"{name}.npy" for name in (HEADER, *shapes)):
                raise _Wrong("it has other arrays")
            return {name: _read(archive, name, *shapes[name]) for name in shapes}
    except _BROKEN as error:
        raise _refused(path, error) from error


def _open(path: Path) -> zipfile.ZipFile:
    """An archive whose list of members is short, since zipfile reads it as a whole."""
    with path.open("rb") as file:
        file.seek(-42, io.SEEK_END)
        tail = file.read()
    end = tail[20:]  # of 22 bytes where there is no comment; one for larger archives comes before
    size = int.from_bytes(end[12:16], "little")
    if end[:4] != b"PK\x05\x06" or tail[:4] == b"PK\x06\x07" or size > DIRECTORY_BYTES:
        raise _Wrong("it is no archive")
    return zipfile.ZipFile(path)


def _read(archive: zipfile.ZipFile, name: str, kind: str, length: int) -> np.ndarray:
    info = archive.getinfo(f"{name}.npy")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise _Wrong("it is packed in an unusual way")  # others inflate without bound
    if length < 1 or info.file_size != NPY_BYTES + np.dtype(kind).itemsize * length:
        raise _Wrong(f"{name} has another size")
    array = np.empty(length, kind)
    numbers = array.data.cast("B")
    with archive.open(info) as file:
        if file.read(NPY_BYTES) != _description(kind, length):
            raise _Wrong(f"{name} is another array")
        for begin in range(0, len(numbers), CHUNK):
            numbers[begin : begin + CHUNK] = file.read(CHUNK)
    return array


def _refused(path: Path, error: Exception) -> NotFound | UsageError:
    if isinstance(error, FileNotFoundError):
        return NotFound(f"There is no model {path}: check its name.")
    reason = str(error) or type(error).__name__
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        reason = f"{'.'.join(map(str, first['loc'])) or 'its header'}: {first['msg']}"
    return UsageError(
        f"{path} is no model of OpenHearth ({reason}): make it with `hearth data train-scorer`."
    )
