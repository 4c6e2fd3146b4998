"""`/v1/jobs`: every job of a project, whatever route it came by, and those that have no other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing, nullcontext
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from openhearth.errors import NotFound
from openhearth.platform.errors import ApiError, bad_request
from openhearth.platform.jobs.following import follow
from openhearth.platform.jobs.job import Job, Owner
from openhearth.platform.jobs.jobs import Jobs
from openhearth.platform.jobs.replies import (
    EventList,
    EventReply,
    JobList,
    JobReply,
    MetricList,
    MetricReply,
)
from openhearth.platform.sse import EventStream

Submit = Callable[[dict[str, Any], Owner], dict[str, Any]]
"""From what a caller asks for to a job's payload; it raises what is wrong with it."""
T = TypeVar("T")

Kind = Annotated[str, Field(pattern=r"^[a-z0-9-]{1,64}$")]
Limit = Annotated[int, Query(ge=1, le=1000)]
Number = Annotated[int, Query(ge=-1, lt=2**63)]
Key = Annotated[str | None, Header(pattern=r"^[!-~]{1,256}$")]
STREAM: dict[int | str, dict[str, Any]] = {200: {"content": {"text/event-stream": {}}}}


class NewJob(BaseModel):
    """What is to be done: a kind, and its recipe."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"kind": "data", "recipe": {"source": "file-0", "rules": ["c4"], "name": "mine"}}
            ]
        },
    )

    kind: Kind
    recipe: dict[str, Any]


def router(jobs: Jobs, submit: Mapping[str, Submit]) -> APIRouter:
    """The routes over these jobs; `submit` has the kinds that may be asked for here."""
    routes = APIRouter()

    @routes.post("/v1/jobs")
    async def create(body: NewJob, http: Request, idempotency_key: Key = None) -> JobReply:
        if body.kind not in submit:
            known = ", ".join(submit)
            raise bad_request(
                f"Jobs of the kind {body.kind} are not made here, but {known}.", "kind"
            )
        caller = http.state.caller

        def make() -> Job:
            payload = submit[body.kind](body.recipe, caller)
            return jobs.create(body.kind, payload, caller=caller, key=idempotency_key)

        return JobReply.of(await asyncio.to_thread(make))

    @routes.get("/v1/jobs")
    async def list_jobs(
        http: Request,
        kind: Kind | None = None,
        after: str | None = None,
        limit: Limit = 20,
    ) -> JobList:
        project = http.state.caller.project
        try:
            found = await asyncio.to_thread(jobs.list, project, kind, after, limit + 1)
        except NotFound as error:
            raise bad_request("after is no id of a job.", "after", "invalid_cursor") from error
        page, more = _page(found, limit)
        replies = [JobReply.of(job) for job in page]
        return JobList(
            data=replies,
            has_more=more,
            first_id=replies[0].id if replies else None,
            last_id=replies[-1].id if replies else None,
        )

    @routes.get("/v1/jobs/{job}")
    async def retrieve(job: str, http: Request) -> JobReply:
        return JobReply.of(await _found(jobs.get, job, http))

    @routes.post("/v1/jobs/{job}/cancel")
    async def cancel(job: str, http: Request) -> JobReply:
        return JobReply.of(await _found(jobs.cancel, job, http))

    @routes.get("/v1/jobs/{job}/events", responses=STREAM, response_model=EventList)
    async def events(
        job: str,
        http: Request,
        after: Number = 0,
        limit: Limit = 100,
    ) -> Response | EventList:
        await _found(jobs.get, job, http)
        if "text/event-stream" in http.headers.get("accept", ""):
            return EventStream(replies(jobs, job, after), nullcontext())
        page, more = _page(await asyncio.to_thread(jobs.events, job, after, limit + 1), limit)
        return EventList(data=[EventReply.of(event) for event in page], has_more=more)

    @routes.get("/v1/jobs/{job}/metrics")
    async def metrics(
        job: str,
        http: Request,
        after: Number = -1,
        until: Number | None = None,
        limit: Limit = 1000,
    ) -> MetricList:
        await _found(jobs.get, job, http)
        found = await asyncio.to_thread(jobs.metrics, job, after, until, limit + 1)
        page, more = _page(found, limit)
        return MetricList(data=[MetricReply.of(metric) for metric in page], has_more=more)

    return routes


async def replies(jobs: Jobs, job: str, after: int) -> AsyncGenerator[EventReply]:
    """A job's events as they come."""
    async with aclosing(follow(jobs, job, after)) as events:
        async for event in events:
            yield EventReply.of(event)


async def _found(do: Callable[[str, str], Job], job: str, http: Request) -> Job:
    try:
        return await asyncio.to_thread(do, job, http.state.caller.project)
    except NotFound as error:
        raise ApiError(404, str(error), param="id", code="job_not_found") from error


def _page(found: Sequence[T], limit: int) -> tuple[Sequence[T], bool]:
    return found[:limit], len(found) > limit
