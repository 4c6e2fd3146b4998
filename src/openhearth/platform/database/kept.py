"""One connection for many small transactions.

To take a connection from the pool and to put it back takes longer than a small transaction does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import Connection


class Kept:
    """For one thread at a time. A transaction that fails takes its connection along with it."""

    def __init__(self, connect: Callable[[], Connection]) -> None:
        self._connect = connect
        self._connection: Connection | None = None

    @contextmanager
    def writing(self, *, durable: bool = True) -> Iterator[Connection]:
        """A transaction, as the database has them; but what is not `durable` is on the disk only
        when the next durable one is, if this is SQLite.
        """
        connection = self._connection = self._connection or self._connected()
        connection.execution_options(durable=durable)
        try:
            with connection.begin():
                yield connection
        except BaseException:
            self.close()
            raise

    def _connected(self) -> Connection:
        connection = self._connect()
        connection.detach()  # those who come and go shall have no place less in the pool
        return connection

    def close(self) -> None:
        """End the connection; a later transaction has another."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
