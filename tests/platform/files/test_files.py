"""Rows and contents: one blob for each content of a project, gone with its last file."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from openhearth.errors import NotFound, UsageError
from openhearth.platform.database import Database
from openhearth.platform.errors import ApiError
from openhearth.platform.files import File, Files
from openhearth.platform.files import files as module
from openhearth.platform.files.checks import check
from openhearth.platform.files.incoming import Incoming, incoming
from tests.platform.area import Caller, differences
from tests.platform.files.conftest import EXAMPLE, MOST
from tests.waiting import WAIT

A, B = Caller("proj_a"), Caller("proj_b")


def add(
    files: Files, data: bytes, owner: Caller = A, purpose: str = "user_data", name: str = "a.txt"
) -> File:
    with arrived(data, name) as came:
        return files.add(came, lines=check(came.path, purpose), purpose=purpose, owner=owner)


@contextmanager
def arrived(data: bytes, name: str = "a.txt") -> Iterator[Incoming]:
    with incoming(name, MOST) as came:
        came.copy(io.BytesIO(data))
        yield came


def blobs(contents: Path) -> list[Path]:
    return sorted(path for path in contents.rglob("*") if path.is_file())


def test_the_migrated_table_is_that_of_the_code(database: Database) -> None:
    assert differences(database, {"files"}) == []


def test_a_file_comes_back_as_it_was(files: Files) -> None:
    data = bytes(range(256)) * 700
    made = add(files, data, name="a b.bin")
    assert files.get(made.id, "proj_a") == made
    assert (made.filename, made.bytes, made.lines) == ("a b.bin", len(data), None)
    assert b"".join(files.read(made)) == files.path(made.id, "proj_a").read_bytes() == data


def test_a_content_is_kept_once_for_a_project(files: Files, contents: Path) -> None:
    first, second, theirs = add(files, b"x"), add(files, b"x"), add(files, b"x", B)
    assert (first.blob, first.sha256) == (second.blob, theirs.sha256)
    assert len(blobs(contents)) == 2
    files.delete(first.id, "proj_a")
    assert b"".join(files.read(second)) == b"x"
    files.delete(second.id, "proj_a")
    assert b"".join(files.read(theirs)) == b"x"
    files.delete(theirs.id, "proj_b")
    assert blobs(contents) == []


def test_a_project_keeps_only_so_much(database: Database, contents: Path) -> None:
    files = Files(database, contents.as_uri(), project_bytes=10)
    files.delete(add(files, b"sixsix").id, "proj_a")
    add(files, b"sixsix")
    with pytest.raises(ApiError, match="keeps 6 bytes of 10") as refused:
        add(files, b"fives")
    assert (refused.value.status, refused.value.reply.error.code) == (413, "storage_full")
    assert len(blobs(contents)) == 1
    add(files, b"fives", B)
    add(files, b"four")
    with pytest.raises(ApiError, match="keeps 10 bytes"):
        add(files, b"1")


def test_what_is_expected_needs_room_too(database: Database, contents: Path) -> None:
    files = Files(database, contents.as_uri(), project_bytes=10)
    with arrived(b"twelve bytes") as came:
        _, ticket = files.expect("a.txt", "user_data", came.sha256, A)
        with pytest.raises(ApiError, match="delete files"):
            files.arrived(files.expected(ticket), came, None)
        assert blobs(contents) == []
        made = files.keep(came, purpose="user_data", owner=A)  # by a job, which has been paid for
    assert made.bytes == 12


def test_what_comes_at_once_is_counted_together(
    files: Files, database: Database, contents: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = Files(database, contents.as_uri(), project_bytes=10)
    together, put = threading.Barrier(3), files._contents.put

    def put_together(local: Path, name: str) -> None:
        put(local, name)
        together.wait(WAIT)

    monkeypatch.setattr(files._contents, "put", put_together)

    def work(data: bytes) -> str | None:
        try:
            add(files, data)
        except ApiError as error:
            return error.reply.error.code
        return None

    with ThreadPoolExecutor(3) as threads:
        outcomes = [*threads.map(work, (b"sixsix", b"6 more", b"others"))]
    assert sorted(map(str, outcomes)) == ["None", "storage_full", "storage_full"]
    assert len(blobs(contents)) == 1


def test_what_a_project_has_already_needs_no_room(database: Database, contents: Path) -> None:
    files = Files(database, contents.as_uri(), project_bytes=10)
    assert add(files, b"sixsix").blob == add(files, b"sixsix").blob


def test_a_content_is_found_by_a_name_that_says_its_format(files: Files) -> None:
    # What is trained on is told by its ending; a text of the same bytes has another.
    text, lines = add(files, EXAMPLE), add(files, EXAMPLE, purpose="fine-tune", name="b")
    assert files.path(text.id, "proj_a").suffix == ".txt"
    assert files.path(lines.id, "proj_a").suffix == ".jsonl"
    assert lines.lines == 1


def test_adding_and_deleting_at_once_leaves_every_file_its_content(
    files: Files, contents: Path
) -> None:
    kept: list[File] = []

    def work(number: int) -> None:
        for _ in range(6):
            made = add(files, b"same")
            if number % 2:
                files.delete(made.id, "proj_a")
            else:
                kept.append(made)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(kept) == 12
    for file in kept:
        assert b"".join(files.read(files.get(file.id, "proj_a"))) == b"same"
    for file in kept:
        files.delete(file.id, "proj_a")
    assert blobs(contents) == []


def test_another_project_finds_nothing(files: Files) -> None:
    made = add(files, b"x")
    for read in (files.get, files.path, files.delete):
        for file in (made.id, "file-none", "", "\0", "\ud800"):
            with pytest.raises(NotFound):
                read(file, "proj_b")
    assert files.list("proj_b") == []
    assert files.find(made.sha256, "user_data", "proj_b") is None


def test_lists_have_pages(files: Files) -> None:
    made = [add(files, b"x").id for _ in range(3)] + [add(files, b"{}", purpose="eval").id]
    assert [file.id for file in files.list("proj_a", limit=2)] == made[:1:-1]
    assert [file.id for file in files.list("proj_a", after=made[1])] == made[:1]
    up = files.list("proj_a", after=made[0], order="asc", purpose="user_data")
    assert [file.id for file in up] == made[1:3]


def test_an_expected_content_arrives_once(files: Files) -> None:
    made = add(files, EXAMPLE, B)
    file, ticket = files.expect("../b.jsonl", "fine-tune", made.sha256, A)
    with pytest.raises(NotFound):
        files.get(file, "proj_a")
    row = files.expected(ticket)
    with arrived(b"other", "b.jsonl") as came, pytest.raises(UsageError, match="announced"):
        came.match(row.sha256)
    with arrived(EXAMPLE, "b.jsonl") as came:
        found = files.arrived(row, came, 1)
    assert (found.id, found.filename, found.lines) == (file, "b.jsonl", 1)
    assert files.find(made.sha256, "fine-tune", "proj_a") == found
    for wrong in (ticket, "none", "\0"):
        with pytest.raises(NotFound):
            files.expected(wrong)


def test_what_never_arrives_is_forgotten(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AWAITED", 2)
    tickets = [files.expect("b", "eval", "0" * 64, A)[1] for _ in range(2)]
    with pytest.raises(UsageError, match="begun"):
        files.expect("b", "eval", "0" * 64, A)
    files.expect("b", "eval", "0" * 64, B)
    monkeypatch.setattr(module, "TICKET_SECONDS", -1)
    with pytest.raises(NotFound):
        files.expected(tickets[0])
    files.expect("b", "eval", "0" * 64, A)


def test_what_is_too_large_is_not_kept(files: Files, contents: Path) -> None:
    with pytest.raises(ApiError, match="larger"):
        add(files, b"x" * (MOST + 1))
    assert blobs(contents) == []


def test_contents_may_be_anywhere(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENHEARTH_HOME", str(tmp_path / "home"))
    far = Files(database, f"memory://{tmp_path.name}")
    made = add(far, b"far away")
    assert b"".join(far.read(made)) == b"far away"
    for _ in range(2):
        assert far.path(made.id, "proj_a").read_bytes() == b"far away"
    far.delete(made.id, "proj_a")
    assert not far._contents._place.has(made.blob)


def test_contents_are_at_the_lasting_place_and_those_of_before_are_still_found(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, there = tmp_path / "home", tmp_path / "there"
    before = add(Files(database, root=home), b"before")
    monkeypatch.setenv("OPENHEARTH_STORE", there.as_uri())
    files = Files(database, root=home)
    after = add(files, b"after")
    assert (there / "files" / after.blob).read_bytes() == b"after"
    assert not (home / "files" / after.blob).exists()
    for made, content in ((before, b"before"), (after, b"after")):
        assert b"".join(files.read(made)) == content
        assert files.path(made.id, "proj_a").read_bytes() == content
        files.delete(made.id, "proj_a")
    assert not [path for path in tmp_path.rglob(f"{before.blob}*") if path.is_file()]
    assert not (there / "files" / after.blob).exists()


def test_bytes_that_are_gone_are_told(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = Files(database, f"memory://{tmp_path.name}", root=tmp_path)
    made = add(files, b"far away")
    files._contents.remove(made.blob)
    with pytest.raises(NotFound, match="upload it again"):
        files.path(made.id, "proj_a")
    assert not [path for path in (tmp_path / "files").rglob("*") if path.is_file()]


def test_what_a_job_has_made_is_kept_as_it_is(files: Files) -> None:
    with arrived(b"not json", "out.jsonl") as came:
        made = files.keep(came, purpose="batch_output", owner=A)
    assert (made.filename, made.bytes) == ("out.jsonl", 8)
    assert b"".join(files.read(made)) == b"not json"
