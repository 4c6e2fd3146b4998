"""OpenAI's routes for fine-tuning: `/v1/fine_tuning/jobs`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated, NoReturn, Protocol, TypeVar

from fastapi import APIRouter, Query, Request

from openhearth.errors import NotFound
from openhearth.platform.errors import bad_request
from openhearth.platform.finetuning.charges import all_metrics
from openhearth.platform.finetuning.facts import Facts
from openhearth.platform.finetuning.making import Tuning
from openhearth.platform.finetuning.names import KIND, find_job
from openhearth.platform.finetuning.openai import OpenAIJob
from openhearth.platform.finetuning.openai_replies import (
    CheckpointPage,
    EventPage,
    FineTuningJobReply,
    JobPage,
    checkpoints,
    newest_first,
)
from openhearth.platform.jobs import Job

MOST_EVENTS = 10_000
Limit = Annotated[int, Query(ge=1, le=1000)]


class Identified(Protocol):
    """What a page is made of."""

    id: str


T = TypeVar("T", bound=Identified)


def router(tuning: Tuning) -> APIRouter:
    """The routes."""
    routes = APIRouter(tags=["fine-tuning"])

    @routes.post("/v1/fine_tuning/jobs")
    async def create(body: OpenAIJob, http: Request) -> FineTuningJobReply:
        return FineTuningJobReply.of(Facts(await tuning.make(body, http.state.caller), 0))

    @routes.get("/v1/fine_tuning/jobs")
    async def list_jobs(http: Request, after: str | None = None, limit: Limit = 20) -> JobPage:
        project = http.state.caller.project
        wanted = _metadata(http)
        try:
            found = await asyncio.to_thread(_list, tuning, project, after, limit + 1, wanted)
        except NotFound as error:
            raise bad_request("after is no id of a job.", "after", "invalid_cursor") from error
        replies = [FineTuningJobReply.of(Facts(job, 0)) for job in found[:limit]]
        return JobPage(data=replies, has_more=len(found) > limit)

    @routes.get("/v1/fine_tuning/jobs/{job}")
    async def retrieve(job: str, http: Request) -> FineTuningJobReply:
        return FineTuningJobReply.of(Facts(await _found(tuning, job, http), 0))

    @routes.post("/v1/fine_tuning/jobs/{job}/cancel")
    async def cancel(job: str, http: Request) -> FineTuningJobReply:
        project = http.state.caller.project
        found = await asyncio.to_thread(find_job, tuning.jobs.cancel, job, project)
        return FineTuningJobReply.of(Facts(found, 0))

    @routes.post("/v1/fine_tuning/jobs/{job}/pause")
    async def pause(job: str, http: Request) -> FineTuningJobReply:
        await _found(tuning, job, http)
        _refuse_to_pause()

    @routes.post("/v1/fine_tuning/jobs/{job}/resume")
    async def resume(job: str, http: Request) -> FineTuningJobReply:
        await _found(tuning, job, http)
        _refuse_to_pause()

    @routes.get("/v1/fine_tuning/jobs/{job}/events")
    async def events(
        job: str, http: Request, after: str | None = None, limit: Limit = 20
    ) -> EventPage:
        found = await _found(tuning, job, http)
        said = await asyncio.to_thread(tuning.jobs.events, found.id, 0, MOST_EVENTS)
        steps = await asyncio.to_thread(lambda: [*all_metrics(tuning.jobs, found.id)])
        page, more = _page(newest_first(said, steps), after, limit)
        return EventPage(data=page, has_more=more)

    @routes.get("/v1/fine_tuning/jobs/{job}/checkpoints")
    async def list_checkpoints(
        job: str, http: Request, after: str | None = None, limit: Limit = 10
    ) -> CheckpointPage:
        found = await _found(tuning, job, http)
        steps = await asyncio.to_thread(lambda: [*all_metrics(tuning.jobs, found.id)])
        page, more = _page(checkpoints(Facts(found, 0), steps), after, limit)
        return CheckpointPage(
            data=page,
            has_more=more,
            first_id=page[0].id if page else None,
            last_id=page[-1].id if page else None,
        )

    return routes


async def _found(tuning: Tuning, job: str, http: Request) -> Job:
    return await asyncio.to_thread(tuning.names(http.state.caller.project).job, job)


def _list(
    tuning: Tuning, project: str, after: str | None, limit: int, wanted: dict[str, str]
) -> Sequence[Job]:
    """So many jobs after one, of those whose metadata has what is wanted."""
    found: list[Job] = []
    while page := tuning.jobs.list(project, KIND, after, limit):
        found += [job for job in page if wanted.items() <= _metadata_of(job).items()]
        if len(found) >= limit or len(page) < limit:
            break
        after = page[-1].id
    return found[:limit]


def _metadata_of(job: Job) -> dict[str, str]:
    return job.payload["asked"].get("metadata") or {}


def _metadata(http: Request) -> dict[str, str]:
    """The metadata that is asked for, as `metadata[key]=value`."""
    return {
        name.removeprefix("metadata[").removesuffix("]"): value
        for name, value in http.query_params.items()
        if name.startswith("metadata[")
    }


def _refuse_to_pause() -> NoReturn:
    message = (
        "Jobs are not paused by this server: cancel it, and go on from a checkpoint with a new one."
    )
    raise bad_request(message, "id", "unsupported_operation")


def _page(found: Sequence[T], after: str | None, limit: int) -> tuple[list[T], bool]:
    """So many after an id, and whether there are more."""
    begin = 0
    if after is not None:
        places = [i for i, row in enumerate(found) if row.id == after]
        if not places:
            raise bad_request("after is no id of this list.", "after", "invalid_cursor")
        begin = places[0] + 1
    return list(found[begin : begin + limit]), len(found) > begin + limit
