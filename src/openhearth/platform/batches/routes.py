"""`/v1/batches` in both dialects. Together's lists are bare, and hold all there is."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request

from openhearth.errors import NotFound
from openhearth.platform.batches.asked import BatchRequest, check_lines
from openhearth.platform.batches.replies import BatchCreated, BatchPage, BatchReply
from openhearth.platform.dialect import speaks_together
from openhearth.platform.errors import ApiError, bad_request
from openhearth.platform.files import Files
from openhearth.platform.ids import new_id
from openhearth.platform.jobs import Job, Jobs

KIND, ID, PURPOSE = "batch", "batch_", "batch"
MOST_LISTED = 10_000


def router(jobs: Jobs, files: Files) -> APIRouter:
    """The routes."""
    routes = APIRouter(tags=["batches"])

    @routes.post("/v1/batches")
    async def create(body: BatchRequest, http: Request) -> BatchReply | BatchCreated:
        job = await asyncio.to_thread(_make, jobs, files, body, http.state.caller)
        if speaks_together(http):
            return BatchCreated(job=BatchReply.of(job, together=True))
        return BatchReply.of(job, together=False)

    @routes.get("/v1/batches")
    async def list_batches(
        http: Request,
        after: str | None = None,
        limit: Annotated[int, Query(ge=1, le=100)] = 20,
    ) -> BatchPage | list[BatchReply]:
        together, project = speaks_together(http), http.state.caller.project
        wanted = MOST_LISTED if together else limit + 1
        try:
            found = await asyncio.to_thread(jobs.list, project, KIND, after, wanted)
        except NotFound as error:
            raise bad_request("after is no id of a batch.", "after", "invalid_cursor") from error
        replies = [BatchReply.of(job, together) for job in found]
        if together:
            return replies
        page = replies[:limit]
        return BatchPage(
            data=page,
            has_more=len(replies) > limit,
            first_id=page[0].id if page else None,
            last_id=page[-1].id if page else None,
        )

    @routes.get("/v1/batches/{batch}")
    async def retrieve(batch: str, http: Request) -> BatchReply:
        return await _found(jobs.get, batch, http)

    @routes.post("/v1/batches/{batch}/cancel")
    async def cancel(batch: str, http: Request) -> BatchReply:
        return await _found(jobs.cancel, batch, http)

    return routes


def _make(jobs: Jobs, files: Files, body: BatchRequest, caller: Any) -> Job:
    body.check()
    try:
        file = files.get(body.input_file_id, caller.project)
    except NotFound as error:
        raise ApiError(404, str(error), param="input_file_id", code="file_not_found") from error
    if file.purpose != PURPOSE:
        message = f"input_file_id was uploaded for {file.purpose}: upload it for batch."
        raise bad_request(message, "input_file_id", "invalid_file_purpose")
    path = files.path(file.id, caller.project)
    payload = {
        "asked": body.model_dump(exclude_none=True),
        "input": str(path),
        "total": check_lines(path, body),
        "bytes": file.bytes,
        "deadline": int(time.time()) + body.seconds(),
    }
    return jobs.create(KIND, payload, caller=caller, id=new_id("batch"))


async def _found(do: Callable[[str, str], Job], batch: str, http: Request) -> BatchReply:
    job = None
    if batch.startswith(ID):
        with suppress(NotFound):
            job = await asyncio.to_thread(do, batch, http.state.caller.project)
    if job is None:
        shown = batch.encode("ascii", "replace").decode()
        message = f"There is no batch {shown!r}: list them to see those there are."
        raise ApiError(404, message, param="batch_id", code="batch_not_found")
    return BatchReply.of(job, speaks_together(http))
