"""The web application: the routes over one engine, behind the guard, failing in one shape."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from fastapi import FastAPI
from pydantic import BaseModel

from openhearth.platform import chat, completions, errors, models
from openhearth.platform.guard import Guard
from openhearth.platform.keys import Keys

if TYPE_CHECKING:
    from openhearth.inference import Engine


class Health(BaseModel):
    """The server answers."""

    status: Literal["ok"] = "ok"


def create_app(engine: Engine, keys: Keys) -> FastAPI:
    """The application that serves `engine` to the holders of `keys`; it does not close either."""
    # FastAPI's own pages load scripts from elsewhere and describe errors that never occur here.
    app = FastAPI(title="OpenHearth", openapi_url=None)
    errors.install(app)
    app.add_middleware(Guard, keys=keys)

    @app.get("/health")
    async def health() -> Health:
        return Health()

    for room in (models, chat, completions):
        app.include_router(room.router(engine))
    return app
