"""Jobs in the words of our own routes."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel

from openhearth.platform.jobs.job import Event, Job, Level, Metric, State


class JobReply(BaseModel):
    """A job. `progress` is its last checkpoint. What it was asked to do is not told again."""

    id: str
    object: Literal["job"] = "job"
    kind: str
    status: State
    parent: str | None
    attempts: int
    progress: dict[str, Any] | None
    result: dict[str, Any] | None
    error: str | None
    created_at: int
    started_at: int | None
    finished_at: int | None

    @classmethod
    def of(cls, job: Job) -> JobReply:
        """Of a job."""
        return cls(
            id=job.id,
            kind=job.kind,
            status=job.state,
            parent=job.parent,
            attempts=job.attempt,
            progress=job.checkpoint,
            result=job.result,
            error=job.error,
            created_at=job.created,
            started_at=job.started,
            finished_at=job.finished,
        )


class JobList(BaseModel):
    """A page of jobs, newest first; the next begins after `last_id`."""

    object: Literal["list"] = "list"
    data: list[JobReply]
    has_more: bool
    first_id: str | None
    last_id: str | None


class EventReply(BaseModel):
    """Something that was said of a job; `number` is the cursor of what follows."""

    object: Literal["job.event"] = "job.event"
    number: int
    created_at: int
    level: Level
    type: str
    message: str
    data: dict[str, Any]

    @classmethod
    def of(cls, event: Event) -> EventReply:
        """Of an event."""
        return cls(
            number=event.number,
            created_at=event.created,
            level=event.level,
            type=event.type,
            message=event.message,
            data=dict(event.data),
        )


class EventList(BaseModel):
    """A page of events, oldest first."""

    object: Literal["list"] = "list"
    data: list[EventReply]
    has_more: bool


class MetricReply(BaseModel):
    """The numbers of a step."""

    step: int
    logged_at: int
    values: dict[str, float]

    @classmethod
    def of(cls, metric: Metric) -> MetricReply:
        """Of a metric."""
        return cls(step=metric.step, logged_at=metric.created, values=dict(metric.values))


class MetricList(BaseModel):
    """A page of metrics, by step."""

    object: Literal["list"] = "list"
    data: list[MetricReply]
    has_more: bool
