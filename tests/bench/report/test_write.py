"""A report is there whole, or not at all."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from openhearth.bench.report import write as writing
from openhearth.bench.report.disclosure import read_disclosure
from openhearth.bench.report.verify import holds, verify
from openhearth.bench.report.write import check_free, write
from openhearth.errors import UsageError
from openhearth.store.disk import new_directory
from tests.bench import builders
from tests.waiting import until


def test_all_files_are_there_and_named_by_their_digests(written: Path) -> None:
    files = read_disclosure(written).files
    assert set(files) == {"records.parquet", "report.json", "report.html"}
    assert {path.name for path in written.iterdir()} == {*files, "disclosure.json"}
    assert json.loads((written / "report.json").read_bytes())["protocol"] == 1


def test_a_gate_s_reference_is_kept(tmp_path: Path, key: Path) -> None:
    told = write(tmp_path / "report", builders.a_gated_run(), key)
    assert "reference.parquet" in told.files


def test_a_report_takes_the_place_of_a_report_and_of_nothing_else(
    copied: Path, key: Path, tmp_path: Path
) -> None:
    before = read_disclosure(copied).name
    after = write(copied, builders.broken_off(), key)
    assert read_disclosure(copied).name == after.name != before
    assert [path.name for path in copied.parent.iterdir()] == ["report"]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter").write_text("x")
    for taken in (tmp_path / "mine", tmp_path / "mine" / "letter"):
        with pytest.raises(UsageError, match="holds something else"):
            check_free(taken)
    check_free(tmp_path / "new")


def child(work: object) -> int:
    """A process of its own that does this and ends."""
    pid = os.fork()
    if pid == 0:
        try:
            work()  # type: ignore[operator]
        finally:
            os._exit(0)
    return pid


@pytest.mark.parametrize("file", ["records.parquet", "report.json", "report.html"])
def test_whoever_is_killed_leaves_the_old_report(
    copied: Path, key: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str
) -> None:
    """Killed as soon as the file of the new one is there."""
    old = {path.name: path.read_bytes() for path in copied.iterdir()}
    real = writing.file_digest

    def never(path: Path) -> str:
        signal.pause()
        return real(path)

    monkeypatch.setattr(writing, "file_digest", never)
    pid = child(lambda: write(copied, builders.broken_off(), key))
    until(lambda: list(copied.parent.glob(f".new-*/new/{file}")))
    os.kill(pid, signal.SIGKILL)
    assert os.WIFSIGNALED(os.waitpid(pid, 0)[1])
    assert {path.name: path.read_bytes() for path in copied.iterdir()} == old
    assert holds(verify(copied))


def test_who_looks_all_the_time_sees_one_or_the_other(tmp_path: Path) -> None:
    """While directories are exchanged, and their writer is killed among it."""
    place = tmp_path / "place"

    def fill(number: int) -> None:
        with new_directory(place) as fresh:
            (fresh / "one").write_text(str(number))
            (fresh / "other").write_text(str(number))

    def fill_always() -> None:
        number = 1
        while True:
            number += 1
            fill(number)

    fill(1)
    pid = child(fill_always)
    seen = set()
    while len(seen) < 50:
        directory = os.open(place, os.O_RDONLY)
        try:
            texts = {_read(directory, name) for name in ("one", "other")} - {None}
        finally:
            os.close(directory)
        assert len(texts) <= 1
        seen |= texts
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    assert (place / "one").read_text() == (place / "other").read_text()


def _read(directory: int, name: str) -> str | None:
    """None if the directory has been taken away meanwhile."""
    try:
        file = os.open(name, os.O_RDONLY, dir_fd=directory)
    except FileNotFoundError:
        return None
    with os.fdopen(file) as opened:
        return opened.read()


def test_an_error_leaves_nothing_behind(tmp_path: Path) -> None:
    def fail() -> None:
        with new_directory(tmp_path / "place") as fresh:
            (fresh / "one").write_text("x")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert list(tmp_path.iterdir()) == []
