"""Files at URLs: whole or not at all, and errors that a person can act on."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from openhearth.errors import HearthError, MissingExtra, UsageError
from openhearth.store.place import Place, shown


@pytest.fixture(params=["file", "memory"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    return Place(
        (tmp_path / "there").as_uri() if request.param == "file" else f"memory:/{tmp_path}"
    )


def test_files_come_back_as_they_were_written(place: Place, tmp_path: Path) -> None:
    local, back = tmp_path / "local", tmp_path / "back"
    local.write_bytes(b"b" * 3_000_000)
    assert place.read("a/x") is None
    assert not place.get("a/x", back)
    assert place.folder("a") == place.below("a") == {}
    place.write("a/x", b"one")
    place.write("a/x", b"two!")
    place.put("a/b/y", local)
    assert place.read("a/x") == b"two!"
    assert b"".join(place.chunks("a/b/y")) == local.read_bytes()
    assert place.get("a/b/y", back)
    assert back.read_bytes() == local.read_bytes()
    assert {name: one.size for name, one in place.folder("a").items()} == {"x": 4}
    assert {name: one.size for name, one in place.below("a").items()} == {"x": 4, "y": 3_000_000}
    assert place.folder("tmp") == {}
    for _ in range(2):
        place.drop("a/x")
    assert not place.has("a/x")
    assert place.has("a/b/y")


def test_a_file_that_is_written_again_has_another_version(place: Place) -> None:
    place.write("refs/a", b"1")
    before = place.folder("refs")["a"]
    assert place.folder("refs")["a"] == before
    place.write("refs/a", b"2")
    after = place.folder("refs")["a"]
    assert after.version != before.version
    assert after.written >= before.written > 1.7e9


def test_a_copy_that_broke_off_is_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = Place((tmp_path / "there").as_uri())
    place.write("x", b"old")

    def breaks(self: Any, path: str, data: bytes, **how: Any) -> None:
        Path(path).write_bytes(data[:1])
        raise ConnectionResetError("the line broke")

    monkeypatch.setattr("fsspec.spec.AbstractFileSystem.pipe_file", breaks)
    with pytest.raises(HearthError, match=r"the line broke.*run the same again"):
        place.write("x", b"new")
    assert place.read("x") == b"old"
    assert [path.name for path in (tmp_path / "there").rglob("*") if path.is_file()] == ["x"]


def test_a_disk_there_that_is_full_is_told_from_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Place((tmp_path / "there").as_uri())
    place.write("x", b"x")

    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("fsspec.implementations.local.LocalFileSystem.put_file", full)
    monkeypatch.setattr("fsspec.implementations.local.LocalFileSystem.get_file", full)
    (tmp_path / "local").touch()
    with pytest.raises(HearthError, match="make room there"):
        place.put("y", tmp_path / "local")
    with pytest.raises(OSError, match="No space left"):
        place.get("x", tmp_path / "back")


def test_rights_that_are_missing_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = Place((tmp_path / "there").as_uri())

    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError(errno.EACCES, "Access Denied")

    monkeypatch.setattr("fsspec.spec.AbstractFileSystem.pipe_file", refuse)
    with pytest.raises(HearthError, match=r"Access Denied.*credentials and the right"):
        place.write("x", b"x")


def test_an_unknown_protocol_is_refused() -> None:
    with pytest.raises(UsageError, match=r"carrier-pigeon.*is no address of files"):
        Place("carrier-pigeon://roof/store")


@pytest.mark.parametrize(
    ("url", "package", "extra"),
    [
        ("s3://bucket/store", "s3fs", "s3"),
        ("gs://bucket/store", "gcsfs", "gcs"),
        ("abfs://box/store", "adlfs", "azure"),
    ],
)
def test_a_missing_package_has_its_install_line(
    url: str, package: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtra, match=rf"{package} is not .*openhearth\[{extra}\]"):
        Place(url)


def test_a_server_that_does_not_answer_is_told_without_the_secret() -> None:
    with pytest.raises(HearthError) as told:
        Place("ftp://me:secret@127.0.0.1:1/store")
    assert "ftp://127.0.0.1:1/store cannot be opened" in str(told.value)
    assert "secret" not in str(told.value)
    assert shown("s3://key:a%2Fb@bucket/x") == "s3://bucket/x"
    assert shown("file:///a@b") == "file:///a@b"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written(tmp_path: Path) -> None:
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    with pytest.raises(HearthError, match="the right to do so"):
        Place((tmp_path / "there").as_uri()).write("x", b"x")


def test_a_store_on_a_disk_does_not_load_fsspec(tmp_path: Path) -> None:
    program = """
import sys
from openhearth.store import Store
store = Store(sys.argv[1])
made = store.make("corpus", lambda draft: draft.path("a").write_text("a") and None)
store.tag("a", made.digest)
store.get("a").path("a")
print("fsspec" in sys.modules)
"""
    command = [sys.executable, "-c", program, str(tmp_path)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    assert done.stdout == "False\n"
