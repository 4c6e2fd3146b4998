"""Writing a report: a directory that is there whole, or not at all (rules 52 and 54)."""

from __future__ import annotations

from pathlib import Path

from openhearth.bench.records import write_records
from openhearth.bench.report.disclosure import FILE, Disclosure, read_disclosure, whole
from openhearth.bench.report.figures import Measurement, figures
from openhearth.bench.report.page import page
from openhearth.bench.report.signature import sign
from openhearth.errors import UsageError
from openhearth.store import write_atomically
from openhearth.store.artifact import file_digest
from openhearth.store.disk import explain_disk_errors, new_directory

RECORDS, REFERENCE, FIGURES, PAGE = (
    "records.parquet",
    "reference.parquet",
    "report.json",
    "report.html",
)


def check_free(directory: Path) -> None:
    """Refuse a place that has something else, before any work is done.

    Raises:
        UsageError: it has, and that is no report.
    """
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        try:
            read_disclosure(directory)
        except UsageError as error:
            raise UsageError(f"{directory} holds something else: name another place.") from error


def write(directory: Path, measurement: Measurement, key: Path | None = None) -> Disclosure:
    """Write all files of a report, in place of one that was there; signed with a key, or with
    that of this home. Whoever looks, and whenever this ends, finds the old one or the new one.

    Raises:
        UsageError: the place holds something else.
        HearthError: the disk is full or cannot be written.
    """
    check_free(directory)
    with explain_disk_errors(directory), new_directory(directory) as fresh:
        return _fill(fresh, measurement, key)


def _fill(directory: Path, measurement: Measurement, key: Path | None) -> Disclosure:
    write_records(directory / RECORDS, measurement.records)
    if measurement.reference:
        write_records(directory / REFERENCE, measurement.reference)
    found = figures(measurement)
    write_atomically(directory / FIGURES, whole(found))
    write_atomically(directory / PAGE, page(measurement.disclosure, found))
    files = {path.name: file_digest(path) for path in sorted(directory.iterdir())}
    disclosure = measurement.disclosure.model_copy(update={"files": files, "signature": None})
    signature = sign(disclosure.signed_bytes, key)
    disclosure = disclosure.model_copy(update={"signature": signature})
    write_atomically(directory / FILE, disclosure.to_bytes())
    return disclosure
