"""Files: what a location means, and how its bytes are opened."""

from __future__ import annotations

import bz2
import gzip
import lzma
from pathlib import Path

import fsspec
import pytest
import zstandard

from openhearth.data.sources.files import File, fingerprint, list_files
from openhearth.errors import MissingTool, NotFound, UsageError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("b/two.txt", "a.txt", ".git/x.txt", "b/.y.txt", "node_modules/z.txt", "c.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / "link.txt").symlink_to("/etc/hostname")
    return tmp_path


def names(location: str) -> list[str]:
    return [file.name for file in list_files(location)]


def test_a_folder_a_file_and_a_pattern(folder: Path) -> None:
    assert names(str(folder)) == ["a.txt", "b/two.txt", "c.png"]
    assert names(f"{folder}/") == ["a.txt", "b/two.txt", "c.png"]
    assert names(str(folder / "a.txt")) == ["a.txt"]
    assert names(f"{folder}/**/*.txt") == ["a.txt", "b/two.txt"]
    assert names(f"file://{folder}") == ["a.txt", "b/two.txt", "c.png"]


def test_any_file_system_of_fsspec() -> None:
    memory = fsspec.filesystem("memory")
    memory.pipe({"/shelf/a.txt": b"One", "/shelf/b/c.txt.gz": gzip.compress(b"Two")})
    files = list_files("memory://shelf")
    assert [(file.name, file.open().read()) for file in files] == [
        ("a.txt", b"One"),
        ("b/c.txt.gz", b"Two"),
    ]
    memory.rm("/shelf", recursive=True)


@pytest.mark.parametrize(
    ("suffix", "pack"),
    [
        ("", bytes),
        (".gz", gzip.compress),
        (".GZ", gzip.compress),
        (".zst", zstandard.compress),
        (".bz2", bz2.compress),
        (".xz", lzma.compress),
    ],
)
def test_compressions_with_several_members(suffix: str, pack: object, tmp_path: Path) -> None:
    path = tmp_path / f"a.TXT{suffix}"
    path.write_bytes(pack(b"One, ") + pack(b"two"))
    (file,) = list_files(str(path))
    with file.open() as stream:
        assert stream.read() == b"One, two"
    with file.open_raw() as stream:
        assert stream.read() == path.read_bytes()
    assert (file.suffix, file.plain_name) == (".txt", "a.TXT")


def test_the_fingerprint_changes_with_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("One.")
    before = fingerprint(list_files(str(tmp_path)), None)
    assert fingerprint(list_files(str(tmp_path)), None) == before
    (tmp_path / "a.txt").write_text("Two, longer.")
    changed = fingerprint(list_files(str(tmp_path)), None)
    (tmp_path / "a.txt").rename(tmp_path / "b.txt")
    moved = [fingerprint(list_files(str(tmp_path)), kind) for kind in (None, "text", "html")]
    assert len({before, changed, *moved}) == 5


def test_names_that_are_not_unicode_are_written_as_some_that_are(tmp_path: Path) -> None:
    (tmp_path / "caf\udce9.txt").write_text("One.")
    (file,) = list_files(str(tmp_path))
    assert file.name == "caf?.txt"
    assert file.open().read() == b"One."
    fingerprint([file], None)


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no file or folder"):
        list_files(str(tmp_path / "nothing"))
    with pytest.raises(UsageError, match="cannot be read"):
        list_files("nosuchscheme://x/y")


def test_a_file_system_without_its_package_is_named() -> None:
    with pytest.raises(MissingTool, match=r"gs://.*gcsfs"):
        list_files("gs://bucket/x")


def test_the_suffix_of_a_name() -> None:
    assert File("", "a/b.warc.wet.gz", 0, "").suffix == ".wet"
    assert File("", "a.b/README", 0, "").suffix == ""
