"""Statements of every request, which the database's own driver carries out.

SQLAlchemy takes ten times as long to hand a statement on as SQLite takes to carry it out, and an
answer is paid for with ten of them. So these, and what looks after all day, are compiled by it once
for each kind of database, with the conversions of their types, and go straight to the driver from
then on, within the transaction of a connection like all others.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Connection, Delete, Dialect, Insert, Select, Update
from sqlalchemy.exc import DBAPIError

Convert = Callable[[Any], Any]


class Statement:
    """One of them. What it needs is given by name each time; an insertion needs every column."""

    def __init__(self, clause: Select[Any] | Insert | Update | Delete) -> None:
        self._clause = clause
        self._compiled: dict[str, _Compiled] = {}

    def run(self, connection: Connection, **values: Any) -> list[Any]:
        """What it gives or returns, with the columns' names as attributes.

        Raises:
            sqlalchemy.exc.DBAPIError: as if SQLAlchemy had carried it out.
        """
        dialect = connection.dialect
        compiled = self._compiled.get(dialect.name)
        if compiled is None:
            compiled = self._compiled[dialect.name] = _Compiled(self._clause, dialect)
        return compiled.run(connection, values)

    def does(self, connection: Connection, **values: Any) -> bool:
        """Whether it gives or returns anything."""
        return bool(self.run(connection, **values))


def by_driver(connection: Connection, sql: str, parameters: Any = ()) -> list[Any]:
    """What a statement in the driver's own words gives or returns, as tuples.

    Raises:
        sqlalchemy.exc.DBAPIError: as if SQLAlchemy had carried it out.
    """
    driver: Any = connection.connection.dbapi_connection
    failure = connection.dialect.loaded_dbapi.Error
    try:
        found = driver.execute(sql, parameters)
        return found.fetchall() if found.description else []
    except failure as error:
        raise DBAPIError.instance(sql, None, error, failure) from error


class _Compiled:
    """For one kind of database."""

    def __init__(self, clause: Select[Any] | Insert | Update | Delete, dialect: Dialect) -> None:
        compiled = clause.compile(dialect=dialect)
        assert not compiled.post_compile_params, "a list of unknown length is written each time"
        self._sql = str(compiled)
        self._order: list[str] | None = compiled.positiontup
        self._fixed = {n: bind.value for n, bind in compiled.binds.items() if not bind.required}
        self._bound = {
            name: convert
            for name, bind in compiled.binds.items()
            if (convert := bind.type.dialect_impl(dialect).bind_processor(dialect))
        }
        columns: Any = clause.exported_columns
        row: Any = namedtuple("Row", columns.keys())  # type: ignore[misc]
        self._named = row._make
        converts = [c.type.dialect_impl(dialect).result_processor(dialect, None) for c in columns]
        self._converts: list[Convert | None] = converts if any(converts) else []

    def run(self, connection: Connection, given: Mapping[str, Any]) -> list[Any]:
        values: dict[str, Any] = {**self._fixed, **given}
        for name, convert in self._bound.items():
            values[name] = convert(values[name])
        rows = by_driver(connection, self._sql, self._parameters(values))
        if self._converts:
            rows = [map(_converted, self._converts, row) for row in rows]
        return [self._named(row) for row in rows]

    def _parameters(self, values: dict[str, Any]) -> Any:
        return values if self._order is None else [values[name] for name in self._order]


def _converted(convert: Convert | None, value: Any) -> Any:
    return value if convert is None else convert(value)
