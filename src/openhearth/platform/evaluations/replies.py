"""Evaluations in the words of Together's API."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import BaseModel

from openhearth.platform.jobs import Job, State

STATUS: dict[State, str] = {
    "queued": "queued",
    "running": "running",
    "cancelling": "running",
    "succeeded": "completed",
    "failed": "error",
    "cancelled": "error",
}


class EvaluationCreated(BaseModel):
    """A new evaluation."""

    workflow_id: str
    status: Literal["pending"] = "pending"


class EvaluationStatus(BaseModel):
    """How far an evaluation is; counts, once it is done."""

    status: str
    results: dict[str, Any] | None

    @classmethod
    def of(cls, job: Job) -> EvaluationStatus:
        """Of a job."""
        results = job.result
        if results is None and job.is_over:
            results = {"error": job.error or "It was cancelled."}
        return cls(status=STATUS[job.state], results=results)


class EvaluationReply(EvaluationStatus):
    """An evaluation."""

    workflow_id: str
    type: str
    owner_id: str
    parameters: dict[str, Any]
    created_at: datetime
    updated_at: datetime
    progress: dict[str, Any] | None

    @classmethod
    def of(cls, job: Job) -> EvaluationReply:
        """Of a job."""
        return cls(
            **EvaluationStatus.of(job).model_dump(),
            workflow_id=job.id,
            type=job.payload["type"],
            owner_id=job.key,
            parameters=job.payload["parameters"],
            created_at=datetime.fromtimestamp(job.created, UTC),
            updated_at=datetime.fromtimestamp(job.finished or job.started or job.created, UTC),
            progress=job.checkpoint,
        )
