"""The routes of both dialects, over one kind of job."""

from __future__ import annotations

from fastapi import APIRouter

from openhearth.platform.apart import Apart
from openhearth.platform.files import Files
from openhearth.platform.finetuning import openai_routes, together_routes
from openhearth.platform.finetuning.charges import Charges
from openhearth.platform.finetuning.counting import Counting
from openhearth.platform.finetuning.making import Tuning
from openhearth.platform.jobs import Jobs
from openhearth.store import Store


def router(store: Store, jobs: Jobs, files: Files, charges: Charges, apart: Apart) -> APIRouter:
    """All of them. `charges` is to be kept running beside; what takes long is done `apart`."""
    tuning = Tuning(store, jobs, files, charges, apart, Counting(store, apart))
    routes = APIRouter()
    routes.include_router(together_routes.router(tuning))
    routes.include_router(openai_routes.router(tuning))
    return routes
