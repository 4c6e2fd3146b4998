"""Lists in pages: those that were made first come first, and a page goes on after an id."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from openhearth.errors import UsageError
from openhearth.platform.ids import may_be_id


@dataclass(frozen=True)
class Page:
    """Rows, and whether there are more after them."""

    rows: Sequence[sa.RowMapping]
    more: bool


def page(
    connection: sa.Connection,
    query: sa.Select[Any],
    order: tuple[sa.ColumnElement[Any], sa.ColumnElement[Any]],
    after: str | None,
    limit: int,
) -> Page:
    """Up to `limit` rows of a query, by `order`: the columns of the time and the id.

    Raises:
        UsageError: the query has no row with the id `after`.
    """
    if after is not None:
        query = query.where(sa.tuple_(*order) > _place(connection, query, order, after))
    rows = connection.execute(query.order_by(*order).limit(limit + 1)).mappings().all()
    return Page(rows[:limit], len(rows) > limit)


def _place(
    connection: sa.Connection,
    query: sa.Select[Any],
    order: tuple[sa.ColumnElement[Any], sa.ColumnElement[Any]],
    after: str,
) -> Any:
    found = None
    if may_be_id(after):
        found = connection.execute(query.with_only_columns(*order).where(order[1] == after)).first()
    if found is None:
        raise UsageError(f"There is nothing to go on from at {after!r}: list from the beginning.")
    return sa.tuple_(*(sa.literal(value) for value in found))
