"""Which tool a file is of, and what it holds."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from openhearth.bench.foreign import aiperf, guidellm
from openhearth.bench.foreign.results import Foreign
from openhearth.data.parse import first_fault
from openhearth.errors import NotFound, UsageError

LARGEST = 2**30  # bytes
READERS = {"guidellm": guidellm.read, "aiperf": aiperf.read}


def read_foreign(path: Path) -> Foreign:
    """The records of a file of guidellm (JSON) or aiperf (JSON lines), told apart by their fields.

    Raises:
        NotFound: there is no such file.
        UsageError: it is of neither, too large, or has no requests.
    """
    if not path.is_file():
        raise NotFound(f"There is no file {path}: name a report of guidellm or aiperf.")
    if path.stat().st_size > LARGEST:
        raise UsageError(f"{path} is larger than a gigabyte: cut the run into several.")
    content, reasons = path.read_bytes(), []
    for tool, read in READERS.items():
        try:
            found = read(content)
        except ValidationError as error:
            reasons.append(": ".join((tool, *first_fault(error))))
            continue
        if found.records:
            return found
        reasons.append(f"{tool}: no requests")
    raise UsageError(f"{path} holds no results that can be read ({'; '.join(reasons)}).")
