"""An application of a few routes behind the guard, for callers whose projects are their keys'."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import uvicorn
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from fastapi import APIRouter, FastAPI

from openhearth.platform import errors
from openhearth.platform.database import Database, metadata
from openhearth.platform.guard import Guard
from openhearth.platform.limits import RateLimits


@dataclass(frozen=True)
class Unlimited:
    """What a key may spend."""

    spending_cap: int | None = None


@dataclass(frozen=True)
class Caller:
    """Who asks."""

    project: str = "proj_a"
    organisation: str = "org_a"
    key: str = "key_a"
    limits: Unlimited = Unlimited()


class Identified:
    """ASGI middleware: the name of a key is the project of its caller."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        caller = scope["state"].get("caller")
        if caller is not None:
            scope["state"]["caller"] = Caller(caller.key)
        await self.app(scope, receive, send)


def application(keys: Any, *routers: APIRouter, within: Sequence[Any] = ()) -> FastAPI:
    """`within` is more middleware between the guard and the routes."""
    app = FastAPI()
    errors.install(app)
    for router in routers:
        app.include_router(router)
    app.add_middleware(Identified)
    for middleware in within:
        app.add_middleware(middleware)
    app.add_middleware(Guard, authority=keys, limits=RateLimits())
    return app


@dataclass
class Served:
    """Where it is, and the key of the project `proj_a`."""

    url: str
    key: str


@contextmanager
def serving(app: FastAPI, key: str) -> Iterator[Served]:
    """A real server on a free port of the loopback."""
    config = uvicorn.Config(app, port=0, log_level="critical", ws="none", lifespan="off")
    server, listening = uvicorn.Server(config), threading.Event()
    startup = server.startup

    async def start_and_tell(sockets: list | None = None) -> None:
        await startup(sockets)
        listening.set()

    server.startup = start_and_tell
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        assert listening.wait(10)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield Served(f"http://127.0.0.1:{port}", key)
    finally:
        server.should_exit = True
        thread.join(10)


def differences(database: Database, tables: set[str]) -> list[Any]:
    """What the tables in a database have else than those that the code describes."""

    def ours(thing: Any, name: str | None, kind: str, *more: Any) -> bool:
        return kind != "table" or name in tables

    with database.reading() as connection:
        options = {"include_object": ours}
        return compare_metadata(MigrationContext.configure(connection, opts=options), metadata)
