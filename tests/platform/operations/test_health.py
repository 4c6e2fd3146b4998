"""Whether the server is well, and who may ask."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from openhearth.platform import create_app, errors
from openhearth.platform.database import Database
from openhearth.platform.operations import Metrics
from openhearth.platform.operations.health import router


@pytest.fixture
def stranger(whole: TestClient) -> TestClient:
    """Somebody without a key."""
    del whole.headers["authorization"]
    return whole


def test_health_needs_no_key(stranger: TestClient) -> None:
    for path in ("/health", "/healthz"):
        assert stranger.get(path).json() == {"status": "ok"}


def test_it_is_ready_when_a_model_answers_and_the_database_writes(stranger: TestClient) -> None:
    reply = stranger.get("/readyz")
    assert reply.status_code == 200
    assert reply.json() == {"status": "ok", "checks": {"engine": "ok", "database": "ok"}}


def test_it_is_not_ready_without_a_model(stranger: TestClient, engine: Any) -> None:
    engine.models = list
    reply = stranger.get("/readyz")
    assert reply.status_code == 503
    assert reply.json()["checks"] == {"engine": "failed", "database": "ok"}


def test_it_is_not_ready_while_the_database_cannot_be_written(
    stranger: TestClient, kept: Database
) -> None:
    with kept.writing() as connection:
        connection.exec_driver_sql("ALTER TABLE alembic_version RENAME TO lost")
    reply = stranger.get("/readyz")
    assert (reply.status_code, reply.json()["checks"]["database"]) == (503, "failed")
    assert stranger.get("/health").status_code == 200


def test_a_server_without_a_database_is_ready_too(engine: Any, keys: Any) -> None:
    with TestClient(create_app(engine, keys)) as client:
        assert client.get("/readyz").json()["checks"] == {"engine": "ok"}


def test_metrics_need_a_key_on_this_machine_too(whole: TestClient, engine: Any, keys: Any) -> None:
    """Whoever comes through a proxy here seems to be on this machine."""
    assert whole.get("/metrics").status_code == 200
    del whole.headers["authorization"]
    assert whole.get("/metrics").status_code == 401
    with TestClient(create_app(engine, keys), client=("127.0.0.1", 5000)) as local:
        assert local.get("/metrics").status_code == 401


def test_numbers_of_a_server_of_many_are_for_who_runs_it() -> None:
    app = FastAPI()
    errors.install(app)
    app.add_middleware(As, organisation="org_a")
    app.include_router(router(Metrics(), {}, operator="org_b"))
    with TestClient(app) as client:
        assert client.get("/metrics").status_code == 404
    app = FastAPI()
    app.add_middleware(As, organisation="org_b")
    app.include_router(router(Metrics(), {}, operator="org_b"))
    with TestClient(app) as client:
        assert client.get("/metrics").status_code == 200


class As:
    """ASGI middleware: all callers are of one organisation."""

    def __init__(self, app: Any, organisation: str) -> None:
        self._app = app
        self._caller = SimpleNamespace(organisation=organisation)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        scope.setdefault("state", {})["caller"] = self._caller
        await self._app(scope, receive, send)
