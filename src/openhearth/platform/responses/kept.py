"""Keeping responses: each project sees its own, and of others not even that they are there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from openhearth.platform.database import Database
from openhearth.platform.errors import ApiError, bad_request
from openhearth.platform.ids import may_be_id
from openhearth.platform.responses.items import ITEMS, Item, as_kept
from openhearth.platform.responses.reply import ResponseReply
from openhearth.platform.responses.tables import responses

JSON = dict[str, Any]


def not_found(name: str) -> ApiError:
    """A 404 for an id that is unknown, or of somebody else."""
    return ApiError(404, f"There is no response {name!r}: it was deleted, or not stored.")


class KeptResponses:
    """The table `responses`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def keep(self, project: str, items: Sequence[Item], reply: ResponseReply) -> None:
        """Keep a response and its own input."""
        row = {
            "id": reply.id,
            "project": project,
            "created": reply.created_at,
            "previous": reply.previous_response_id,
            "input": as_kept(items),
            "reply": reply.model_dump(mode="json"),
        }
        await self._database.write(lambda connection: connection.execute(responses.insert(), row))

    async def get(self, project: str, name: str) -> JSON:
        """A response as it was sent.

        Raises:
            ApiError: 404, there is no such response.
        """
        row = await self._database.read(lambda connection: _row(connection, project, name))
        if row is None:
            raise not_found(name)
        return row.reply

    async def delete(self, project: str, name: str) -> None:
        """Forget a response. One that goes on from it can no longer be gone on from.

        Raises:
            ApiError: 404, there is no such response.
        """
        mine = (responses.c.id == name) & (responses.c.project == project)
        query = responses.delete().where(mine)
        if not may_be_id(name) or not await self._database.write(
            lambda connection: connection.execute(query).rowcount
        ):
            raise not_found(name)

    async def input_items(self, project: str, name: str) -> list[JSON]:
        """What a response answers, with what was said before it; the oldest first.

        Raises:
            ApiError: 404, there is no such response.
        """

        def items(connection: sa.Connection) -> list[JSON]:
            row = _row(connection, project, name)
            if row is None:
                raise not_found(name)
            before = _conversation(connection, project, row.previous) or []
            return [*before, *row.input]

        return await self._database.read(items)

    async def conversation(self, project: str, name: str | None) -> list[Item]:
        """All that was said up to the end of a response; nothing without one.

        Raises:
            ApiError: 400, it, or one that it goes on from, is not there.
        """
        found = await self._database.read(lambda c: _conversation(c, project, name))
        if found is None:
            message = f"There is no response {name!r} to go on from: send the whole input."
            raise bad_request(message, "previous_response_id", "previous_response_not_found")
        return ITEMS.validate_python(found)


def _row(connection: sa.Connection, project: str, name: str) -> Any:
    mine = (responses.c.id == name) & (responses.c.project == project)
    return connection.execute(responses.select().where(mine)).first() if may_be_id(name) else None


def _conversation(connection: sa.Connection, project: str, name: str | None) -> list[JSON] | None:
    parts: list[list[JSON]] = []
    while name is not None:
        row = _row(connection, project, name)
        if row is None:
            return None
        parts.append([*row.input, *row.reply["output"]])
        name = row.previous
    return [item for part in reversed(parts) for item in part]
