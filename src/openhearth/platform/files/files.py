"""Files of projects: each a row and a blob, one blob for each content that a project has."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import sqlalchemy as sa

from openhearth.errors import NotFound, UsageError
from openhearth.platform.database import Database
from openhearth.platform.errors import ApiError
from openhearth.platform.files.checks import CHECKS
from openhearth.platform.files.contents import Contents, usual_place
from openhearth.platform.files.incoming import Incoming
from openhearth.platform.files.names import safe, suffix_of
from openhearth.platform.files.rows import (
    File,
    Owner,
    check_room,
    file_of,
    new_row,
    of_project,
    shared_blob,
    take_turns,
    whole,
)
from openhearth.platform.files.tables import files
from openhearth.store import home

MOST_BYTES = 2**30  # of a file
PROJECT_BYTES = 100 * 2**30  # of all that a project keeps
AWAITED = 100  # files of a project whose content is still to come
TICKET_SECONDS = 3600


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

    def add(self, came: Incoming, *, lines: int | None, purpose: str, owner: Owner) -> File:
        """Keep a file that has come, under its own name. `lines` are what `check` has found.

        Raises:
            ApiError: 413, the project has no room for it.
        """
        row = new_row(owner, purpose, came.path.name) | came.known() | {"lines": lines}
        return self._keep(came, owner.project, row, most=self._project_bytes)

    def keep(self, came: Incoming, *, purpose: str, owner: Owner) -> File:
        """Keep what a job has made, as `add` does, without looking for room."""
        row = new_row(owner, purpose, came.path.name) | came.known()
        return self._keep(came, owner.project, row)

    def find(self, sha256: str, purpose: str, project: str) -> File | None:
        """A file that a project has with this content, if it has one."""
        same = (files.c.sha256 == sha256) & (files.c.purpose == purpose)
        chosen = whole(project).where(same).order_by(files.c.number).limit(1)
        with self._database.reading() as connection:
            row = connection.execute(chosen).one_or_none()
        return None if row is None else file_of(row)

    def expect(self, filename: str, purpose: str, sha256: str, owner: Owner) -> tuple[str, str]:
        """Prepare for a content that comes later; the file's id, and the ticket for sending it.

        Raises:
            UsageError: too many are expected already.
        """
        now, ticket = int(time.time()), secrets.token_urlsafe(32)
        row = new_row(owner, purpose, safe(filename)) | {
            "bytes": 0,
            "sha256": sha256,
            "ticket": _digest(ticket),
        }
        awaited = files.c.blob.is_(None)
        late = awaited & (files.c.created < now - TICKET_SECONDS)
        count = sa.select(sa.func.count()).select_from(files)
        with self._database.writing() as connection:
            take_turns(connection, owner.project)
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

    def arrived(self, row: Any, came: Incoming, lines: int | None) -> File:
        """Keep the content that was expected for a row, as `add` does."""
        values = {"purpose": row.purpose, "filename": row.filename, "ticket": None} | came.known()
        values["lines"] = lines
        return self._keep(came, row.project, values, row.number, self._project_bytes)

    def _keep(
        self,
        came: Incoming,
        project: str,
        values: dict[str, Any],
        number: int | None = None,
        most: int | None = None,
    ) -> File:
        """Write the row for a content, which is put down before unless the project has it."""
        suffix = ".jsonl" if values["purpose"] in CHECKS else suffix_of(values["filename"])
        own = f"{project}/{came.sha256}-{secrets.token_hex(4)}{suffix}"
        self._contents.put(came.path, own)
        try:
            row = self._write(project, values, number, own, suffix, most)
        except ApiError:
            self._contents.remove(own)
            raise
        if row is None or row.blob != own:
            self._contents.remove(own)
        if row is None:
            raise NotFound("No file is expected here any more: begin the upload again.")
        return file_of(row)

    def _write(
        self,
        project: str,
        values: dict[str, Any],
        number: int | None,
        own: str,
        suffix: str,
        most: int | None,
    ) -> Any:
        """The row, new or that of a number, if it is still there."""
        with self._database.writing() as connection:
            take_turns(connection, project)
            shared = shared_blob(connection, project, values["sha256"], suffix)
            if shared is None and most is not None:
                check_room(connection, project, values["bytes"], most)
            values |= {"blob": shared or own}
            if number is None:
                write: Any = sa.insert(files).values(values)
            else:
                write = sa.update(files).where(files.c.number == number).values(values)
            return connection.execute(write.returning(files)).one_or_none()

    # -- out ------------------------------------------------------------------------------------

    def get(self, file: str, project: str) -> File:
        """A file of a project.

        Raises:
            NotFound: the project has no such file.
        """
        with self._database.reading() as connection:
            return file_of(of_project(connection, file, project))

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
        chosen, number = whole(project), files.c.number
        if purpose is not None:
            chosen = chosen.where(files.c.purpose == purpose)
        with self._database.reading() as connection:
            if after is not None:
                last = of_project(connection, after, project).number
                chosen = chosen.where(number < last if order == "desc" else number > last)
            chosen = chosen.order_by(number.desc() if order == "desc" else number.asc())
            return [file_of(row) for row in connection.execute(chosen.limit(limit))]

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
            row = of_project(connection, file, project)
            # Whoever shares the blob, or is about to, waits. Who began to share it while this
            # waited is seen only by a statement that begins afterwards.
            sharing = sa.select(files.c.number).where(files.c.blob == row.blob)
            connection.execute(sharing.order_by(files.c.number).with_for_update()).all()
            connection.execute(sa.delete(files).where(files.c.number == row.number))
            others = connection.execute(sharing.limit(1)).one_or_none()
        if others is None:
            self._contents.remove(row.blob)


def _digest(ticket: str) -> str:
    return hashlib.sha256(ticket.encode(errors="replace")).hexdigest()
