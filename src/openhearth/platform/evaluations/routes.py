"""`/v1/evaluation`, as Together's client speaks it: lists are bare."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Query, Request

from openhearth.errors import NotFound
from openhearth.platform.errors import ApiError, bad_request
from openhearth.platform.evaluations.asked import EvaluationRequest, check, models_of
from openhearth.platform.evaluations.replies import (
    STATUS,
    EvaluationCreated,
    EvaluationReply,
    EvaluationStatus,
)
from openhearth.platform.files import Files
from openhearth.platform.ids import new_id
from openhearth.platform.jobs import Job, Jobs
from openhearth.platform.models import tokenizer_of

if TYPE_CHECKING:
    from openhearth.inference import Engine

KIND, ID, PURPOSE = "evaluation", "eval-", "eval"
FILE = "parameters.input_data_file_path"
MOST_LISTED = 1000
SECONDS = 24 * 3600  # in which an evaluation may ask


def router(engine: Engine, jobs: Jobs, files: Files) -> APIRouter:
    """The routes; what judges, and what is judged, are models of the engine."""
    routes = APIRouter(tags=["evaluations"])

    @routes.post("/v1/evaluation")
    async def create(body: EvaluationRequest, http: Request) -> EvaluationCreated:
        job = await asyncio.to_thread(_make, engine, jobs, files, body, http.state.caller)
        return EvaluationCreated(workflow_id=job.id)

    @routes.get("/v1/evaluation")
    async def list_evaluations(
        http: Request,
        limit: Annotated[int, Query(ge=1, le=MOST_LISTED)] = MOST_LISTED,
        status: Literal["pending", "queued", "running", "completed", "error", "user_error"]
        | None = None,
    ) -> list[EvaluationReply]:
        project = http.state.caller.project
        states = [state for state, word in STATUS.items() if status in (None, word)]
        found = await asyncio.to_thread(jobs.list, project, KIND, None, limit, states)
        return [EvaluationReply.of(job) for job in found]

    @routes.get("/v1/evaluation/{evaluation}")
    async def retrieve(evaluation: str, http: Request) -> EvaluationReply:
        return EvaluationReply.of(await _found(jobs, evaluation, http))

    @routes.get("/v1/evaluation/{evaluation}/status")
    async def status(evaluation: str, http: Request) -> EvaluationStatus:
        return EvaluationStatus.of(await _found(jobs, evaluation, http))

    return routes


def _make(engine: Engine, jobs: Jobs, files: Files, body: Any, caller: Any) -> Job:
    parameters = body.parameters
    for model in models_of(parameters):
        tokenizer_of(engine, model, caller.project)
    try:
        file = files.get(parameters.input_data_file_path, caller.project)
    except NotFound as error:
        raise ApiError(404, str(error), param=FILE, code="file_not_found") from error
    if file.purpose != PURPOSE:
        message = f"{FILE} was uploaded for {file.purpose}: upload it for eval."
        raise bad_request(message, FILE, "invalid_file_purpose")
    path = files.path(file.id, caller.project)
    with path.open("rb") as lines:
        first = next(line for line in lines if line.strip())
    check(parameters, orjson.loads(first))
    payload = {
        "type": body.type,
        "parameters": parameters.model_dump(exclude_none=True),
        "input": str(path),
        "total": file.lines,
        "deadline": int(time.time()) + SECONDS,
    }
    return jobs.create(KIND, payload, caller=caller, id=new_id("eval", "-"))


async def _found(jobs: Jobs, evaluation: str, http: Request) -> Job:
    if evaluation.startswith(ID):
        with suppress(NotFound):
            return await asyncio.to_thread(jobs.get, evaluation, http.state.caller.project)
    shown = evaluation.encode("ascii", "replace").decode()
    message = f"There is no evaluation {shown!r}: list them to see those there are."
    raise ApiError(404, message, param="id", code="evaluation_not_found")
