"""Fine-tuning jobs in the words of OpenAI's API."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from pydantic import BaseModel

from openhearth.platform.finetuning.facts import Facts
from openhearth.platform.finetuning.openai import RATES
from openhearth.platform.jobs import Event, Metric

STATUS = {"cancelling": "running"}
"""Where their word is not ours."""

Json = dict[str, Any]


class JobError(BaseModel):
    """Why a job failed."""

    code: str = "job_failed"
    message: str
    param: str | None = None


class FineTuningJobReply(BaseModel):
    """A job. `learning_rate_multiplier` is as if it had been asked for in this dialect."""

    id: str
    object: Literal["fine_tuning.job"] = "fine_tuning.job"
    created_at: int
    finished_at: int | None
    estimated_finish: int | None
    error: JobError | None
    model: str
    fine_tuned_model: str | None
    organization_id: str
    training_file: str
    validation_file: str | None
    result_files: list[str]
    status: str
    trained_tokens: int | None
    seed: int
    hyperparameters: Json
    method: Json
    integrations: list[Json]
    metadata: dict[str, str] | None

    @classmethod
    def of(cls, facts: Facts) -> FineTuningJobReply:
        """Of a job."""
        job, asked = facts.job, facts.asked
        hyperparameters, method = _method(facts)
        ready = None
        if job.started is not None and facts.seconds is not None:
            ready = job.started + facts.seconds
        return cls(
            id=job.id,
            created_at=job.created,
            finished_at=job.finished,
            estimated_finish=ready,
            error=JobError(message=job.error) if job.error else None,
            model=asked.get("model") or asked["from_checkpoint"],
            fine_tuned_model=facts.result.get("name"),
            organization_id=job.organisation,
            training_file=asked["training_file"],
            validation_file=asked.get("validation_file"),
            result_files=[],
            status=STATUS.get(job.state, job.state),
            trained_tokens=facts.result.get("trained_tokens"),
            seed=facts.recipe.seed,
            hyperparameters=hyperparameters,
            method=method,
            integrations=[],
            metadata=asked.get("metadata"),
        )


class JobPage(BaseModel):
    """A page of jobs, newest first."""

    object: Literal["list"] = "list"
    data: list[FineTuningJobReply]
    has_more: bool


class JobEvent(BaseModel):
    """Something that happened, or, with `type` metrics, the numbers of a step."""

    id: str
    object: Literal["fine_tuning.job.event"] = "fine_tuning.job.event"
    created_at: int
    level: str
    message: str
    type: Literal["message", "metrics"]
    data: Json

    @classmethod
    def said(cls, event: Event) -> JobEvent:
        """Of an event."""
        return cls(
            id=f"ftevent-{event.number}",
            created_at=event.created,
            level=event.level,
            message=event.message or event.type,
            type="message",
            data={"type": event.type, **event.data},
        )

    @classmethod
    def measured(cls, metric: Metric) -> JobEvent:
        """Of the numbers of a step."""
        loss = metric.values.get("loss")
        return cls(
            id=f"ftevent-step-{metric.step}",
            created_at=metric.created,
            level="info",
            message=f"Step {metric.step}" + (f": training loss={loss:.3f}" if loss else ""),
            type="metrics",
            data=_numbers(metric.step, metric.values),
        )


class EventPage(BaseModel):
    """A page of events, newest first."""

    object: Literal["list"] = "list"
    data: list[JobEvent]
    has_more: bool


class Checkpoint(BaseModel):
    """A version that can be served."""

    id: str
    object: Literal["fine_tuning.job.checkpoint"] = "fine_tuning.job.checkpoint"
    created_at: int
    fine_tuned_model_checkpoint: str
    fine_tuning_job_id: str
    metrics: dict[str, float]
    step_number: int


class CheckpointPage(BaseModel):
    """A page of what a job kept, the last first."""

    object: Literal["list"] = "list"
    data: list[Checkpoint]
    has_more: bool
    first_id: str | None
    last_id: str | None


def newest_first(events: Iterable[Event], metrics: Iterable[Metric]) -> list[JobEvent]:
    """All that is told of a job."""
    found = [*map(JobEvent.said, events), *map(JobEvent.measured, metrics)]
    return sorted(found, key=lambda event: event.created_at)[::-1]


def checkpoints(facts: Facts, metrics: Sequence[Metric]) -> list[Checkpoint]:
    """What a job kept, the last first; nothing until it has succeeded."""
    if not facts.result:
        return []
    values = {metric.step: metric.values for metric in metrics}
    last = {"step": facts.result["steps"], "name": facts.result["name"]}
    return [
        Checkpoint(
            id=f"ftckpt-{facts.job.id}-{kept['step']}",
            created_at=facts.updated,
            fine_tuned_model_checkpoint=kept["name"],
            fine_tuning_job_id=facts.job.id,
            metrics=_numbers(kept["step"], values.get(kept["step"], {})),
            step_number=kept["step"],
        )
        for kept in [last, *reversed(facts.result["checkpoints"])]
    ]


def _numbers(step: int, values: Mapping[str, float]) -> dict[str, float]:
    names = {"loss": "train_loss", "heldout_loss": "valid_loss"}
    return {"step": step} | {names.get(name, name): value for name, value in values.items()}


def _method(facts: Facts) -> tuple[Json, Json]:
    kind = "supervised" if facts.method == "sft" else "dpo"
    hyperparameters: Json = {
        "n_epochs": facts.recipe.epochs,
        "batch_size": facts.batch,
        "learning_rate_multiplier": facts.recipe.optimizer.learning_rate / RATES[kind],
    }
    own = dict(hyperparameters)
    if facts.method == "dpo":
        own["beta"] = facts.objective.beta
    return hyperparameters, {"type": kind, kind: {"hyperparameters": own}}
