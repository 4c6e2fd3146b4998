"""`/health`, `/healthz`, `/readyz` and `/metrics`: for whoever runs the server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

import sqlalchemy as sa
from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from pydantic import BaseModel

from openhearth.platform.database import Database
from openhearth.platform.errors import ApiError
from openhearth.platform.operations.metrics import Metrics

if TYPE_CHECKING:
    from openhearth.inference import Engine

READY_SECONDS = 5.0  # that a check may take


class Health(BaseModel):
    """The server answers."""

    status: Literal["ok"] = "ok"


class Ready(BaseModel):
    """Whether requests can be served: what was looked at, and what is wrong with it."""

    status: Literal["ok", "unavailable"]
    checks: dict[str, str]


def check_engine(engine: Engine) -> None:
    """Raise if no model answers."""
    if not engine.models():
        raise LookupError("no node serves a model")


def check_database(database: Database) -> None:
    """Raise if it cannot be written, which is tried on what says how new its tables are."""
    with database.writing() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = version_num"))


async def _result(check: Callable[[], None]) -> str:
    try:
        async with asyncio.timeout(READY_SECONDS):
            await asyncio.to_thread(check)
    except TimeoutError:
        return "slow"
    except Exception:  # whatever it is, it is not to be told to strangers
        return "failed"
    return "ok"


def router(
    metrics: Metrics, checks: dict[str, Callable[[], None]], operator: str | None = None
) -> APIRouter:
    """The routes; it is ready if no check raises. Numbers of the whole server are for the
    organisation `operator`, if there are several.
    """
    routes = APIRouter(tags=["operations"])

    @routes.get("/health")
    @routes.get("/healthz")
    async def health() -> Health:
        return Health()

    @routes.get("/readyz", responses={503: {"model": Ready}}, response_model=Ready)
    async def ready() -> Response:
        results = await asyncio.gather(*map(_result, checks.values()))
        well = all(result == "ok" for result in results)
        found = Ready(
            status="ok" if well else "unavailable", checks=dict(zip(checks, results, strict=True))
        )
        return JSONResponse(found.model_dump(), 200 if well else 503)

    @routes.get("/metrics", response_class=PlainTextResponse)
    async def read_metrics(http: Request) -> Response:
        if operator is not None and http.state.caller.organisation != operator:
            raise ApiError(404, "There is nothing here.", code="not_found")
        return metrics.response()

    return routes
