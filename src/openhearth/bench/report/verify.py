"""Does a report hold? Every file, every figure, and who vouches for it (rules 53 to 55).

Whether the requests are those that recipe and seeds make is looked at in `asked.py`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from openhearth.bench.measures import counter
from openhearth.bench.records import read_records
from openhearth.bench.report.asked import asked
from openhearth.bench.report.check import Check
from openhearth.bench.report.disclosure import Disclosure, read_disclosure
from openhearth.bench.report.figures import Measurement, figures
from openhearth.bench.report.signature import is_signed
from openhearth.bench.report.write import FIGURES, RECORDS, REFERENCE
from openhearth.errors import HearthError, NotFound, UsageError
from openhearth.store.artifact import file_digest

NONSENSE = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
TOLERANCE = 1e-6  # relative: the last digits of a sum depend on the processor's library


def verify(directory: Path, key: str | None = None) -> list[Check]:
    """Look at everything. `key` is the public key that must have signed.

    Raises:
        UsageError: the directory is no report.
    """
    disclosure = read_disclosure(directory)
    found = [*_files(directory, disclosure), _signature(disclosure, key)]
    if all(check.holds for check in found):
        found += _contents(directory, disclosure)
    return found


def holds(checks: list[Check]) -> bool:
    """Whether nothing is wrong, and all could be looked at."""
    return all(check.holds for check in checks)


def measurement_of(directory: Path) -> Measurement:
    """What a report was made of.

    Raises:
        UsageError: the directory is no report, or its records are damaged.
        NotFound: its tokenizer is not in the store.
    """
    disclosure = read_disclosure(directory)
    reference = directory / REFERENCE
    return Measurement(
        disclosure,
        read_records(directory / RECORDS),
        read_records(reference) if REFERENCE in disclosure.files else [],
        counter(disclosure.recipe.tokenizer),
    )


def _files(directory: Path, disclosure: Disclosure) -> Iterator[Check]:
    for name, digest in sorted(disclosure.files.items()):
        path = directory / name
        if "/" in name or name in ("", ".", "..") or not path.is_file() or path.is_symlink():
            yield Check(name, False, "it is not there")
        elif file_digest(path) != digest:
            yield Check(name, False, "its bytes are not those that were signed")
        else:
            yield Check(name, True, digest[:12])
    for name in sorted({RECORDS, FIGURES} - set(disclosure.files)):
        yield Check(name, False, "the disclosure does not name it")


def _signature(disclosure: Disclosure, key: str | None) -> Check:
    signature = disclosure.signature or {}
    if not is_signed(disclosure.signed_bytes, signature):
        return Check("signature", False, "it is not of this disclosure")
    if key is not None and signature["key"] != key:
        return Check("signature", False, f"it is by {signature['key']}, not by {key}")
    return Check("signature", True, f"by {signature['key']}")


def _contents(directory: Path, disclosure: Disclosure) -> Iterator[Check]:
    try:
        measurement = measurement_of(directory)
    except NotFound as error:
        yield Check("figures", None, f"{error} It is needed to count tokens.")
        return
    except UsageError as error:
        yield Check("records", False, str(error))
        return
    try:
        yield from asked(measurement)
        yield _figures(directory, measurement)
    except NONSENSE as error:
        yield Check("records", False, f"they make no sense ({type(error).__name__}: {error})")


def _figures(directory: Path, measurement: Measurement) -> Check:
    try:
        told = json.loads((directory / FIGURES).read_bytes())
        again = json.loads(json.dumps(figures(measurement)))
    except HearthError as error:
        return Check("figures", False, str(error))
    if (where := difference(told, again)) is not None:
        return Check("figures", False, f"{where} is not what the records say")
    return Check("figures", True, f"{len(measurement.records)} records say the same")


def difference(told: Any, again: Any, path: str = "report") -> str | None:
    """Where two pieces of plain data differ first, beyond the last digits of numbers."""
    if isinstance(told, dict) and isinstance(again, dict) and told.keys() == again.keys():
        pairs = ((f"{path}.{name}", told[name], again[name]) for name in told)
    elif isinstance(told, list) and isinstance(again, list) and len(told) == len(again):
        pairs = ((f"{path}[{n}]", *pair) for n, pair in enumerate(zip(told, again, strict=True)))
    elif isinstance(told, float | int) and isinstance(again, float | int):
        return None if math.isclose(told, again, rel_tol=TOLERANCE, abs_tol=1e-12) else path
    else:
        return None if told == again else path
    return next((where for name, a, b in pairs if (where := difference(a, b, name))), None)
