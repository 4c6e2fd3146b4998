"""Files of projects: rows that name blobs, one blob for each content that a project has."""

from __future__ import annotations

import hashlib
import secrets
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import sqlalchemy as sa

from openhearth.errors import NotFound, UsageError
from openhearth.platform.database import Database
from openhearth.platform.errors import ApiError
from openhearth.platform.files.checks import CHECKS, check
from openhearth.platform.files.contents import Contents, usual_place
from openhearth.platform.files.incoming import Incoming
from openhearth.platform.files.names import safe, suffix_of
from openhearth.platform.files.tables import files
from openhearth.platform.ids import may_be_id
from openhearth.store import home

MOST_BYTES = 2**30  # of a file
PROJECT_BYTES = 100 * 2**30  # of all that a project keeps
AWAITED = 100  # files of a project whose content is still to come
TICKET_SECONDS = 3600


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


class Files:
    """The files that a database knows, with their contents at `url`, else where the store's lasting
    place is: the home directory, or another `root`, if none is set. A project may upload until it
    keeps `project_bytes`; what jobs make is kept beyond that.
    """

    def __init__(
        self,
        database: Database,
        url: str | None = None,
        most_bytes: int = MOST_BYTES,
        root: Path | None = None,
        project_bytes: int = PROJECT_BYTES,
    ) -> None:
        self._database = database
        here = root or home()
        self._contents = Contents(url or usual_place(here), here / "files")
        self.most_bytes = most_bytes
        self._project_bytes = project_bytes

    # -- in -------------------------------------------------------------------------------------

    def add(self, came: Incoming, *, purpose: str, owner: Owner, name: str | None = None) -> File:
        """Keep a file that has come, under its own name or another.

        Raises:
            UsageError: it is empty, or a line is not what the purpose needs.
            ApiError: 413, the project has no room for it.
        """
        self._check_room(came, owner.project)
        lines = check(came.path, purpose)
        filename = safe(name or came.path.name)
        row = _row(owner, purpose, filename) | {
            "bytes": came.bytes,
            "sha256": came.sha256,
            "lines": lines,
        }
        return self._keep(came, owner.project, row, None)

    def keep(self, path: Path, *, purpose: str, owner: Owner, name: str | None = None) -> File:
        """Keep a file that was made here, as `add` does, without looking into it."""
        came = Incoming(path, self.most_bytes)
        came.look()
        row = _row(owner, purpose, safe(name or path.name)) | {
            "bytes": came.bytes,
            "sha256": came.sha256,
        }
        return self._keep(came, owner.project, row, None)

    def find(self, sha256: str, purpose: str, project: str) -> File | None:
        """A file that a project has with this content, if it has one."""
        same = (files.c.sha256 == sha256) & (files.c.purpose == purpose)
        chosen = _whole(project).where(same).order_by(files.c.number).limit(1)
        with self._database.reading() as connection:
            row = connection.execute(chosen).one_or_none()
        return None if row is None else _file(row)

    def expect(self, filename: str, purpose: str, sha256: str, owner: Owner) -> tuple[str, str]:
        """Prepare for a content that comes later; the file's id, and the ticket for sending it.

        Raises:
            UsageError: too many are expected already.
        """
        now, ticket = int(time.time()), secrets.token_urlsafe(32)
        row = _row(owner, purpose, safe(filename)) | {
            "bytes": 0,
            "sha256": sha256,
            "ticket": _digest(ticket),
        }
        awaited = files.c.blob.is_(None)
        late = awaited & (files.c.created < now - TICKET_SECONDS)
        count = sa.select(sa.func.count()).select_from(files)
        with self._database.writing() as connection:
            connection.execute(sa.delete(files).where(late))
            mine = count.where(awaited, files.c.project == owner.project)
            if connection.execute(mine).scalar_one() >= AWAITED:
                raise UsageError(
                    f"{AWAITED} uploads of this project have begun and not ended: send their "
                    "contents, or wait an hour."
                )
            connection.execute(sa.insert(files).values(row))
        return row["id"], ticket

    def expected(self, ticket: str) -> Any:
        """The row that a ticket is for.

        Raises:
            NotFound: there is none, or its time is over.
        """
        since = int(time.time()) - TICKET_SECONDS
        chosen = sa.select(files).where(
            files.c.ticket == _digest(ticket), files.c.blob.is_(None), files.c.created >= since
        )
        with self._database.reading() as connection:
            row = connection.execute(chosen).one_or_none()
        if row is None:
            raise NotFound("No file is expected here any more: begin the upload again.")
        return row

    def arrived(self, row: Any, came: Incoming) -> File:
        """Keep the content that was expected for a row.

        Raises:
            UsageError: it is another content, or not what the purpose needs.
            ApiError: 413, the project has no room for it.
        """
        self._check_room(came, row.project)
        if came.sha256 != row.sha256:
            raise UsageError(
                f"The content has the SHA-256 {came.sha256}, but {row.sha256} was announced: send "
                "it again."
            )
        values = {"bytes": came.bytes, "lines": check(came.path, row.purpose), "ticket": None}
        about = {"purpose": row.purpose, "filename": row.filename, "sha256": row.sha256}
        return self._keep(came, row.project, about | values, row.number)

    def _check_room(self, came: Incoming, project: str) -> None:
        blobs = _whole(project).with_only_columns(files.c.blob, files.c.bytes).distinct().subquery()
        with self._database.reading() as connection:
            kept = int(connection.execute(sa.select(sa.func.sum(blobs.c.bytes))).scalar() or 0)
        if kept + came.bytes > self._project_bytes:
            raise ApiError(
                413,
                f"The project keeps {kept} bytes of {self._project_bytes} that it may, and this "
                f"file has {came.bytes}: delete files that are not needed any more.",
                code="storage_full",
            )

    def _keep(
        self, came: Incoming, project: str, values: dict[str, Any], number: int | None
    ) -> File:
        """Write the row for a content, which is put down before unless the project has it."""
        suffix = ".jsonl" if values["purpose"] in CHECKS else suffix_of(values["filename"])
        own = f"{project}/{values['sha256']}-{secrets.token_hex(4)}{suffix}"
        self._contents.put(came.path, own)
        with self._database.writing() as connection:
            shared = _shared(connection, project, values["sha256"], suffix)
            values |= {"blob": shared or own}
            if number is None:
                write: Any = sa.insert(files).values(values)
            else:
                write = sa.update(files).where(files.c.number == number).values(values)
            row = connection.execute(write.returning(files)).one_or_none()
        if row is None or row.blob != own:
            self._contents.remove(own)
        if row is None:
            raise NotFound("No file is expected here any more: begin the upload again.")
        return _file(row)

    # -- out ------------------------------------------------------------------------------------

    def get(self, file: str, project: str) -> File:
        """A file of a project.

        Raises:
            NotFound: the project has no such file.
        """
        with self._database.reading() as connection:
            return _file(_of_project(connection, file, project))

    def list(
        self,
        project: str,
        purpose: str | None = None,
        after: str | None = None,
        limit: int = 10_000,
        order: Literal["asc", "desc"] = "desc",
    ) -> Sequence[File]:
        """The files of a project by their age; those that follow the file `after`.

        Raises:
            NotFound: the project has no file `after`.
        """
        chosen, number = _whole(project), files.c.number
        if purpose is not None:
            chosen = chosen.where(files.c.purpose == purpose)
        with self._database.reading() as connection:
            if after is not None:
                last = _of_project(connection, after, project).number
                chosen = chosen.where(number < last if order == "desc" else number > last)
            chosen = chosen.order_by(number.desc() if order == "desc" else number.asc())
            return [_file(row) for row in connection.execute(chosen.limit(limit))]

    def path(self, file: str, project: str) -> Path:
        """The content of a file, on this machine; it may go when the file is deleted.

        Raises:
            NotFound: the project has no such file.
        """
        return self._contents.local(self.get(file, project).blob)

    def read(self, file: File) -> Iterator[bytes]:
        """The content, a chunk at a time."""
        return self._contents.read(file.blob)

    def delete(self, file: str, project: str) -> None:
        """Forget a file, and its content if no other file of the project has the same.

        Raises:
            NotFound: the project has no such file.
        """
        with self._database.writing() as connection:
            row = _of_project(connection, file, project)
            # Whoever shares the blob, or is about to, waits. Who began to share it while this
            # waited is seen only by a statement that begins afterwards.
            sharing = sa.select(files.c.number).where(files.c.blob == row.blob)
            connection.execute(sharing.order_by(files.c.number).with_for_update()).all()
            connection.execute(sa.delete(files).where(files.c.number == row.number))
            others = connection.execute(sharing.limit(1)).one_or_none()
        if others is None:
            self._contents.remove(row.blob)


def _row(owner: Owner, purpose: str, filename: str) -> dict[str, Any]:
    return {
        "id": f"file-{uuid.uuid4().hex}",
        "organisation": owner.organisation,
        "project": owner.project,
        "purpose": purpose,
        "filename": filename,
        "created": int(time.time()),
    }


def _whole(project: str) -> sa.Select[Any]:
    return sa.select(files).where(files.c.project == project, files.c.blob.is_not(None))


def _of_project(connection: sa.Connection, file: str, project: str) -> Any:
    row = None
    if may_be_id(file):
        row = connection.execute(_whole(project).where(files.c.id == file)).one_or_none()
    if row is None:
        shown = file.encode("ascii", "replace").decode()
        raise NotFound(f"There is no file {shown!r}: `hearth files list` shows those there are.")
    return row


def _shared(connection: sa.Connection, project: str, sha256: str, suffix: str) -> str | None:
    """The blob that a project has of this content already, which nobody removes meanwhile."""
    same = _whole(project).where(files.c.sha256 == sha256).order_by(files.c.number)
    blobs = [row.blob for row in connection.execute(same.with_for_update())]
    return next((blob for blob in blobs if blob.partition("-")[2][8:] == suffix), None)


def _digest(ticket: str) -> str:
    return hashlib.sha256(ticket.encode(errors="replace")).hexdigest()


def _file(row: Any) -> File:
    names = ("id", "purpose", "filename", "bytes", "sha256", "lines", "created", "blob")
    return File(**{name: getattr(row, name) for name in names})
