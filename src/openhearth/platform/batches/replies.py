"""A batch in the words of both APIs at once; only the status is written in two ways."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from openhearth.platform.jobs import Job

STATUS = {
    "queued": "validating",
    "running": "in_progress",
    "cancelling": "cancelling",
    "succeeded": "completed",
    "failed": "failed",
    "cancelled": "cancelled",
}
TOGETHER = {"cancelling": "IN_PROGRESS"}  # for which they have no word


class RequestCounts(BaseModel):
    """Lines, and how many of them were answered, or failed, so far."""

    total: int
    completed: int
    failed: int


class BatchErrors(BaseModel):
    """Why a batch failed as a whole."""

    object: Literal["list"] = "list"
    data: list[dict[str, Any]]


class BatchReply(BaseModel):
    """A batch. Times are UTC seconds; `model_id` and what follows it is Together's."""

    model_config = ConfigDict(protected_namespaces=())

    id: str
    object: Literal["batch"] = "batch"
    endpoint: str
    input_file_id: str
    completion_window: str
    status: str
    output_file_id: str | None
    error_file_id: str | None
    errors: BatchErrors | None
    created_at: int
    in_progress_at: int | None
    expires_at: int
    finalizing_at: int | None
    completed_at: int | None
    failed_at: int | None
    expired_at: int | None
    cancelling_at: int | None
    cancelled_at: int | None
    request_counts: RequestCounts
    usage: dict[str, Any] | None
    metadata: dict[str, str] | None
    model_id: str | None
    user_id: str
    file_size_bytes: int
    job_deadline: int
    progress: float
    error: str | None

    @classmethod
    def of(cls, job: Job, together: bool) -> BatchReply:
        """Of a job, for one of the clients."""
        asked, done = job.payload["asked"], job.result or job.checkpoint or {}
        counts = RequestCounts(
            total=job.payload["total"],
            completed=done.get("completed", 0),
            failed=done.get("failed", 0),
        )
        is_late = job.state == "succeeded" and done.get("expired")
        is_waiting = job.state == "queued" and job.started is not None
        status = "expired" if is_late else STATUS["running" if is_waiting else job.state]
        shown = TOGETHER.get(status, status.upper()) if together else status
        ended = {status: job.finished}
        errors = None
        if job.error:
            errors = BatchErrors(data=[{"code": "batch_failed", "message": job.error}])
        return cls(
            id=job.id,
            endpoint=asked["endpoint"],
            input_file_id=asked["input_file_id"],
            completion_window=asked["completion_window"],
            status=shown,
            output_file_id=done.get("output_file"),
            error_file_id=done.get("error_file"),
            errors=errors,
            created_at=job.created,
            in_progress_at=job.started,
            expires_at=job.payload["deadline"],
            finalizing_at=job.finished if status in ("completed", "expired") else None,
            completed_at=ended.get("completed"),
            failed_at=ended.get("failed"),
            expired_at=ended.get("expired"),
            cancelling_at=ended.get("cancelled"),
            cancelled_at=ended.get("cancelled"),
            request_counts=counts,
            usage=done.get("usage"),
            metadata=asked.get("metadata"),
            model_id=asked.get("model_id"),
            user_id=job.key,
            file_size_bytes=job.payload["bytes"],
            job_deadline=job.payload["deadline"],
            progress=round(100 * (counts.completed + counts.failed) / counts.total, 1),
            error=job.error,
        )


class BatchCreated(BaseModel):
    """What Together's client is told of a new batch."""

    job: BatchReply
    warning: str | None = None


class BatchPage(BaseModel):
    """A page of batches, newest first."""

    object: Literal["list"] = "list"
    data: list[BatchReply]
    has_more: bool
    first_id: str | None
    last_id: str | None
