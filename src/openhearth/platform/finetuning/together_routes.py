"""Together's routes for fine-tuning: `/v1/fine-tunes`, and downloads at `/v1/finetune`."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import FileResponse, Response

from openhearth.errors import NotFound
from openhearth.platform.errors import ApiError, bad_request
from openhearth.platform.finetuning import heavy
from openhearth.platform.finetuning.archive import MEDIA_TYPE, Form, kept, size_of
from openhearth.platform.finetuning.charges import all_metrics
from openhearth.platform.finetuning.estimate import EstimateRequest
from openhearth.platform.finetuning.facts import Facts
from openhearth.platform.finetuning.limits import Limits, limits_of
from openhearth.platform.finetuning.making import Tuning
from openhearth.platform.finetuning.names import ID, KIND, find_job, version_of
from openhearth.platform.finetuning.preview import PreviewReply, PreviewRequest
from openhearth.platform.finetuning.tickets import Tickets
from openhearth.platform.finetuning.together import TogetherJob
from openhearth.platform.finetuning.together_job import FineTuneEvent, FineTuneReply, moment
from openhearth.platform.finetuning.together_replies import (
    CheckpointList,
    DatasetReply,
    Deletion,
    FineTuneEvents,
    FineTuneList,
    FineTuneMetrics,
    PriceReply,
)
from openhearth.platform.jobs import Job
from openhearth.store import Artifact

MOST_LISTED = 10_000
DATASET = "/v1/finetune/dataset"
Step = Annotated[int | None, Query(ge=0, lt=2**63)]
Time = Annotated[datetime | None, Query()]
ARCHIVE: dict[int | str, dict[str, Any]] = {200: {"content": {MEDIA_TYPE: {}}}}


def router(tuning: Tuning) -> APIRouter:
    """The routes."""
    routes = APIRouter(tags=["fine-tuning"])
    tickets = Tickets()

    @routes.post("/v1/fine-tunes")
    async def create(body: TogetherJob, http: Request) -> FineTuneReply:
        return await _reply(tuning, await tuning.make(body, http.state.caller))

    @routes.get("/v1/fine-tunes")
    async def list_jobs(http: Request) -> FineTuneList:
        project = http.state.caller.project
        found = await asyncio.to_thread(tuning.jobs.list, project, KIND, None, MOST_LISTED)
        prices = await tuning.charges.prices([job.id for job in found])
        facts = [Facts(job, prices.get(job.id, 0)) for job in found]
        return await asyncio.to_thread(FineTuneList.of, facts)

    @routes.post("/v1/fine-tunes/estimate-price")
    async def estimate_price(body: EstimateRequest, http: Request) -> PriceReply:
        return PriceReply.of(await tuning.estimate(body.job(), http.state.caller))

    @routes.get("/v1/fine-tunes/models/limits")
    async def model_limits(model_name: str, http: Request) -> Limits:
        names = tuning.names(http.state.caller.project)

        def find() -> Limits:
            name = names.version(model_name) if model_name.startswith(ID) else model_name
            return limits_of(model_name, names.asked().beginning(name)[1])

        return await asyncio.to_thread(find)

    @routes.post("/v1/fine-tunes/preview", response_model=PreviewReply)
    async def preview(body: PreviewRequest, http: Request) -> Response:
        project = http.state.caller.project
        names = tuning.names(project)
        await asyncio.to_thread(names.check_model, body.model)
        path = await asyncio.to_thread(names.path, body.training_file)
        reply = await tuning.apart.do(
            heavy.preview,
            owner=project,
            reads=0,  # its first lines
            home=str(tuning.store.root),
            body=body.model_dump(),
            file=str(path),
        )
        return Response(reply, media_type="application/json")

    @routes.get("/v1/fine-tunes/{job}")
    async def retrieve(job: str, http: Request) -> FineTuneReply:
        found = await _found(tuning, job, http)
        return await _reply(tuning, found, with_events=True)

    @routes.post("/v1/fine-tunes/{job}/cancel")
    async def cancel(job: str, http: Request) -> FineTuneReply:
        project = http.state.caller.project
        return await _reply(
            tuning, await asyncio.to_thread(find_job, tuning.jobs.cancel, job, project)
        )

    @routes.delete("/v1/fine-tunes/{job}")
    async def delete(job: str, http: Request) -> Deletion:
        found = await _found(tuning, job, http)
        if not found.is_over:
            message = f"The job {job} is {found.state}: cancel it first."
            raise bad_request(message, "id", "job_not_over")
        await tuning.charges.forget(found.id)
        await asyncio.to_thread(tuning.jobs.forget, found.id, found.project)
        return Deletion(message=f"{found.id} is forgotten; what it made stays.")

    @routes.get("/v1/fine-tunes/{job}/events")
    async def events(job: str, http: Request) -> FineTuneEvents:
        found = await _found(tuning, job, http)
        said = await asyncio.to_thread(tuning.jobs.events, found.id, 0, MOST_LISTED)
        return FineTuneEvents(data=FineTuneEvent.all(said))

    @routes.get("/v1/fine-tunes/{job}/metrics")
    async def metrics(
        job: str,
        http: Request,
        resolution: Annotated[int | None, Query(ge=1, le=100_000)] = None,
        global_step_from: Step = None,
        global_step_to: Step = None,
        logged_at_from: Time = None,
        logged_at_to: Time = None,
    ) -> FineTuneMetrics:
        found = await _found(tuning, job, http)
        rows = await asyncio.to_thread(lambda: [*all_metrics(tuning.jobs, found.id)])
        chosen = [
            row
            for row in rows
            if _within(row.step, global_step_from, global_step_to)
            and _within(row.created, _seconds(logged_at_from), _seconds(logged_at_to))
        ]
        return FineTuneMetrics.of(chosen, resolution)

    @routes.get("/v1/fine-tunes/{job}/checkpoints")
    async def checkpoints(job: str, http: Request) -> CheckpointList:
        return CheckpointList.of(Facts(await _found(tuning, job, http), 0))

    @routes.get("/v1/fine-tunes/{job}/download-tokenized-dataset")
    async def tokenized_dataset(job: str, http: Request) -> DatasetReply:
        found = await _found(tuning, job, http)
        made = await asyncio.to_thread(lambda: tuning.store.get(version_of(found)))
        tokens = tuning.store.load(made.manifest.inputs["tokens"])
        packed = await _packed(tuning, tokens, "tokens", found.project)
        ticket, until = tickets.sign(tokens.digest)
        return DatasetReply(
            url=f"{str(http.base_url).rstrip('/')}{DATASET}?ticket={ticket}",
            filename=f"{found.id}-tokenized-dataset.tar.zst",
            size=packed.stat().st_size,
            content_type=MEDIA_TYPE,
            expires_at=moment(until),
        )

    @routes.get(DATASET, responses=ARCHIVE, response_class=FileResponse)
    async def dataset(ticket: str) -> FileResponse:
        digest = tickets.read(ticket)
        if digest is None:
            message = "This address is no longer good: ask for the tokenized dataset again."
            raise ApiError(404, message, param="ticket")
        return await _archived(tuning, tuning.store.load(digest), "tokens", digest)

    @routes.get("/v1/finetune/download", responses=ARCHIVE, response_class=FileResponse)
    async def download(
        ft_id: str,
        http: Request,
        checkpoint: Literal["merged", "adapter", "model_output_path"] | None = None,
        checkpoint_step: Step = None,
    ) -> FileResponse:
        found = await _found(tuning, ft_id, http)
        made = tuning.store.get(version_of(found, checkpoint_step))
        # They document that the step decides alone where it is given.
        wanted = None if checkpoint_step else checkpoint
        if wanted == "adapter" and made.kind != "adapter":
            message = f"{ft_id} trained all weights: its result is no adapter."
            raise bad_request(message, "checkpoint")
        form: Form = "adapter" if made.kind == "adapter" and wanted != "merged" else "model"
        return await _archived(tuning, made, form, found.project)

    return routes


async def _found(tuning: Tuning, job: str, http: Request) -> Job:
    return await asyncio.to_thread(tuning.names(http.state.caller.project).job, job)


async def _reply(tuning: Tuning, job: Job, with_events: bool = False) -> FineTuneReply:
    prices = await tuning.charges.prices([job.id])
    events = None
    if with_events:
        events = await asyncio.to_thread(tuning.jobs.events, job.id, 0, MOST_LISTED)
    return FineTuneReply.of(Facts(job, prices.get(job.id, 0)), events)


async def _archived(tuning: Tuning, artifact: Artifact, form: Form, owner: str) -> FileResponse:
    try:
        path = await _packed(tuning, artifact, form, owner)
    except NotFound as error:
        raise ApiError(404, str(error), param="ft_id") from error
    return FileResponse(path, media_type=MEDIA_TYPE)


async def _packed(tuning: Tuning, artifact: Artifact, form: Form, owner: str) -> Path:
    """The archive, which is made if it is not there."""
    while (path := await asyncio.to_thread(kept, artifact, form)) is None:
        await tuning.apart.do(
            heavy.pack,
            owner=owner,
            reads=await asyncio.to_thread(size_of, artifact, form),
            home=str(tuning.store.root),
            digest=artifact.digest,
            form=form,
        )
    return path


def _within(value: int, least: float | None, most: float | None) -> bool:
    return (least is None or value >= least) and (most is None or value <= most)


def _seconds(moment: datetime | None) -> float | None:
    """A time without a zone is UTC."""
    if moment is None:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
