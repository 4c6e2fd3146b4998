"""Rows of files: what is known of one, whose it is, and how much a project keeps."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass
from typing import Any, Protocol

import sqlalchemy as sa

from openhearth.errors import NotFound
from openhearth.platform.errors import ApiError
from openhearth.platform.files.tables import files
from openhearth.platform.ids import may_be_id

LOCK = 0xF11E5  # of PostgreSQL's advisory locks, with a project: those who add to it take turns
ADD = sa.text("SELECT pg_advisory_xact_lock(CAST(:lock AS integer), hashtext(:project))")


class Owner(Protocol):
    """Whose a file is."""

    @property
    def organisation(self) -> str: ...
    @property
    def project(self) -> str: ...


@dataclass(frozen=True)
class File:
    """What is known of a file. `lines` are those of a file that was checked, by its purpose."""

    id: str
    purpose: str
    filename: str
    bytes: int
    sha256: str
    lines: int | None
    created: int
    blob: str


def file_of(row: Any) -> File:
    """What a row says."""
    names = ("id", "purpose", "filename", "bytes", "sha256", "lines", "created", "blob")
    return File(**{name: getattr(row, name) for name in names})


def new_row(owner: Owner, purpose: str, filename: str) -> dict[str, Any]:
    """What a row begins with."""
    return {
        "id": f"file-{uuid.uuid4().hex}",
        "organisation": owner.organisation,
        "project": owner.project,
        "purpose": purpose,
        "filename": filename,
        "created": int(time.time()),
    }


def whole(project: str) -> sa.Select[Any]:
    """The files of a project whose content is there."""
    return sa.select(files).where(files.c.project == project, files.c.blob.is_not(None))


def of_project(connection: sa.Connection, file: str, project: str) -> Any:
    """The row of a file.

    Raises:
        NotFound: the project has no such file.
    """
    row = None
    if may_be_id(file):
        row = connection.execute(whole(project).where(files.c.id == file)).one_or_none()
    if row is None:
        shown = file.encode("ascii", "replace").decode()
        raise NotFound(f"There is no file {shown!r}: `hearth files list` shows those there are.")
    return row


def take_turns(connection: sa.Connection, project: str) -> None:
    """Let nobody else add to a project until the transaction ends, so that what is counted in it
    stays true; on SQLite writers take turns anyway.
    """
    if connection.dialect.name != "sqlite":
        connection.execute(ADD, {"lock": LOCK, "project": project})


def check_room(connection: sa.Connection, project: str, size: int, most: int) -> None:
    """Raises:
    ApiError: 413, with so many bytes more a project would keep more than `most`.
    """
    blobs = whole(project).with_only_columns(files.c.blob, files.c.bytes).distinct().subquery()
    kept = int(connection.execute(sa.select(sa.func.sum(blobs.c.bytes))).scalar() or 0)
    if kept + size > most:
        raise ApiError(
            413,
            f"The project keeps {kept} bytes of {most} that it may, and this file has {size}: "
            "delete files that are not needed any more.",
            code="storage_full",
        )


def shared_blob(connection: sa.Connection, project: str, sha256: str, suffix: str) -> str | None:
    """The blob that a project has of this content already, which nobody removes meanwhile."""
    same = whole(project).where(files.c.sha256 == sha256).order_by(files.c.number)
    blobs = [row.blob for row in connection.execute(same.with_for_update())]
    return next((blob for blob in blobs if blob.partition("-")[2][8:] == suffix), None)
