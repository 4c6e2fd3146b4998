"""The web application: the routes over one engine, behind the guard, failing in one shape."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, cast

from fastapi import APIRouter, FastAPI
from starlette.middleware.cors import CORSMiddleware

from openhearth import __version__
from openhearth.platform import (
    accounts,
    batches,
    catalogue,
    chat,
    completions,
    embedding,
    endpoints,
    errors,
    evaluations,
    files,
    finetuning,
    jobs,
    models,
    openapi,
    responses,
)
from openhearth.platform.apart import Apart
from openhearth.platform.caller import Authority
from openhearth.platform.catalogue import Machine, this_machine
from openhearth.platform.database import Database
from openhearth.platform.embedding import Embedder, Reranker
from openhearth.platform.endpoints import Placement
from openhearth.platform.guard import Guard
from openhearth.platform.jobs import submit
from openhearth.platform.ledger import billing
from openhearth.platform.limits import RateLimits
from openhearth.platform.metering import FREE, Limited, Meter
from openhearth.platform.operations import Gate, InRequest, Metrics, Observed, Settings, health
from openhearth.platform.services import Services

if TYPE_CHECKING:
    from openhearth.fleet.memory import Memory
    from openhearth.inference import Engine

Check = Callable[[], None]


def create_app(
    engine: Engine,
    authority: Authority,
    database: Database | None = None,
    *,
    meter: Meter = FREE,
    services: Services | None = None,
    embedder: Embedder | None = None,
    reranker: Reranker | None = None,
    placement: Placement | None = None,
    machines: Callable[[], Sequence[Machine]] = this_machine,
    memory: Memory | None = None,
    settings: Settings | None = None,
    checks: Mapping[str, Check] | None = None,
) -> FastAPI:
    """The application that serves `engine` to whom `authority` knows, and charges by `meter`; it
    closes nothing.

    What has to be kept needs a database: without one there are no responses and no endpoints.
    `services` brings a whole platform: accounts, billing, jobs and files. Where models come and go,
    `memory` knows which are there. It is ready when none of `checks` raises, of which the usual one
    is that there is a model.
    """
    # FastAPI's own pages load scripts from elsewhere.
    app = FastAPI(title="OpenHearth", docs_url=None, redoc_url=None)
    openapi.install(app, __version__)
    errors.install(app)
    metrics, limits, chosen = Metrics(), RateLimits(), settings or Settings()
    if memory is not None:
        metrics.follow(memory)
    # The last of them is the outermost.
    app.add_middleware(InRequest)
    app.add_middleware(jobs.Lines)
    app.add_middleware(Guard, authority=authority, limits=limits)
    app.add_middleware(Gate, metrics=metrics, settings=chosen)
    if chosen.origins:
        app.add_middleware(
            CORSMiddleware, allow_origins=chosen.origins, allow_methods=["*"], allow_headers=["*"]
        )

    seen = cast("Engine", Observed(engine, metrics))  # all of it that routes use
    metered = Limited(meter, limits)
    vectors, pool = embedder or embedding.NoEmbedder(), embedding.Pool()
    looks = dict(checks or {"engine": partial(health.check_engine, engine)})
    routers = [
        models.router(seen, vectors, memory),
        chat.router(seen, metered),
        completions.router(seen, metered),
        embedding.embeddings.router(vectors, pool, metered),
        embedding.rerank.router(reranker or embedding.CosineReranker(vectors), pool, metered),
        catalogue.router(seen, vectors, machines),
    ]
    if database is not None:
        looks["database"] = partial(health.check_database, database)
        placed = placement or endpoints.Standing(engine)
        routers += [
            responses.router(seen, database, metered),
            endpoints.router(seen, database, placed),
        ]
    if services is not None:
        routers += _services(seen, services)
    operator = services.operator if services is not None else None
    for router in [health.router(metrics, looks, operator), *routers]:
        app.include_router(router)
    return app


def _services(engine: Engine, services: Services) -> list[APIRouter]:
    apart = Apart()
    return [
        accounts.router(services.accounts),
        billing.router(services.ledger, services.database, services.operator),
        jobs.router(services.jobs, {"data": submit.data(services.files.path)}),
        files.router(services.files, apart),
        finetuning.router(services.store, services.jobs, services.files, services.charges, apart),
        batches.router(services.jobs, services.files),
        evaluations.router(engine, services.jobs, services.files),
    ]
