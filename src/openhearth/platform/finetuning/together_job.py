"""A fine-tuning job, and what happened to it, in the words of Together's API."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from openhearth.platform.finetuning.facts import Facts
from openhearth.platform.jobs import Event

NANO = 10  # of their billionths of a dollar, in a unit
STATUS = {
    "queued": "queued",
    "running": "running",
    "cancelling": "cancel_requested",
    "succeeded": "completed",
    "failed": "error",
    "cancelled": "cancelled",
}
EVENTS = {
    "job_pending": "job_pending",
    "job_start": "job_start",
    "job_restarted": "job_restarted",
    "training_start": "training_start",
    "checkpoint_save": "checkpoint_save",
    "training_complete": "training_complete",
    "cancel_requested": "cancel_requested",
    "job_succeeded": "job_complete",
    "job_failed": "job_error",
    "job_cancelled": "job_stopped",
}
"""Their word for what is said of a job; what has none is not told."""
LEVELS = {"info": "info", "warn": "warning", "error": "error"}

Json = dict[str, Any]


class FineTuneEvent(BaseModel):
    """Something that happened."""

    object: Literal["fine-tune-event"] = "fine-tune-event"
    created_at: str
    level: str
    message: str
    type: str
    step: int | None = None
    total_steps: int | None = None
    hash: str = Field(description="The number of the event.")

    @classmethod
    def all(cls, events: Iterable[Event]) -> list[FineTuneEvent]:
        """Those that they have a word for."""
        return [cls.of(event) for event in events if event.type in EVENTS]

    @classmethod
    def of(cls, event: Event) -> FineTuneEvent:
        """Of an event that they have a word for."""
        return cls(
            created_at=moment(event.created).isoformat(),
            level=LEVELS[event.level],
            message=event.message,
            type=EVENTS[event.type],
            step=event.data.get("step"),
            total_steps=event.data.get("total"),
            hash=str(event.number),
        )


class Progress(BaseModel):
    """How long a running job takes from its start, as their command line reads it."""

    estimate_available: bool
    seconds_remaining: int


class FineTuneReply(BaseModel):
    """A job. `total_price` is in billionths of a dollar: what is held until it is over, then what
    was charged.
    """

    id: str
    job_id: str
    object: Literal["fine-tune"] = "fine-tune"
    status: str
    user_id: str = Field(description="The id of the key that asked for it.")
    created_at: datetime
    started_at: datetime | None
    updated_at: datetime
    model: str | None
    from_checkpoint: str | None
    model_output_name: str
    model_output_path: str | None
    adapter_output_name: str | None
    suffix: str | None
    training_file: str
    validation_file: str | None
    trainingfile_numlines: int | None
    trainingfile_size: int
    n_epochs: int
    n_evals: int
    n_checkpoints: int
    batch_size: int
    packing: bool
    max_seq_length: int
    learning_rate: float
    lr_scheduler: Json
    warmup_ratio: float
    max_grad_norm: float
    weight_decay: float
    random_seed: int
    training_type: Json
    training_method: Json
    train_on_inputs: bool | Literal["auto"] | None
    token_count: int | None
    total_price: int
    steps_completed: int | None
    total_steps: int | None
    epochs_completed: int | None
    progress: Progress | None
    error: str | None
    events: list[FineTuneEvent] | None = None

    @classmethod
    def of(cls, facts: Facts, events: Sequence[Event] | None = None) -> FineTuneReply:
        """Of a job."""
        job, recipe, asked = facts.job, facts.recipe, facts.asked
        name = str(facts.result.get("name") or recipe.name)
        done = facts.step and facts.steps and recipe.epochs * facts.step // facts.steps
        imitates = facts.method == "sft"
        seconds = facts.seconds
        progress = None
        if seconds is not None:
            progress = Progress(estimate_available=True, seconds_remaining=seconds)
        return cls(
            id=job.id,
            job_id=job.id,
            status=STATUS[job.state],
            user_id=job.key,
            created_at=moment(job.created),
            started_at=None if job.started is None else moment(job.started),
            updated_at=moment(facts.updated),
            model=asked.get("model"),
            from_checkpoint=asked.get("from_checkpoint"),
            model_output_name=name,
            model_output_path=facts.result.get("name"),
            adapter_output_name=name if recipe.adapter else None,
            suffix=asked.get("suffix"),
            training_file=asked["training_file"],
            validation_file=asked.get("validation_file"),
            trainingfile_numlines=job.payload["lines"],
            trainingfile_size=job.payload["bytes"],
            n_epochs=recipe.epochs,
            n_evals=recipe.evaluation.times or 0,
            n_checkpoints=recipe.stages,
            batch_size=facts.batch,
            packing=recipe.batch_examples is None,
            max_seq_length=recipe.max_tokens,
            learning_rate=recipe.optimizer.learning_rate,
            lr_scheduler=_schedule(facts),
            warmup_ratio=recipe.schedule.warm_up,
            max_grad_norm=recipe.clip,
            weight_decay=recipe.optimizer.weight_decay,
            random_seed=recipe.seed,
            training_type=_type(facts),
            training_method=_method(facts),
            train_on_inputs=facts.objective.train_on_inputs if imitates else None,
            token_count=facts.result.get("trained_tokens"),
            total_price=facts.price * NANO,
            steps_completed=facts.step,
            total_steps=facts.steps,
            epochs_completed=done,
            progress=progress,
            error=job.error,
            events=None if events is None else FineTuneEvent.all(events),
        )


def moment(seconds: int) -> datetime:
    """A time as they have it."""
    return datetime.fromtimestamp(seconds, UTC)


def _schedule(facts: Facts) -> Json:
    schedule = facts.recipe.schedule
    args = {"min_lr_ratio": schedule.min_ratio}
    if schedule.kind == "cosine":
        args["num_cycles"] = schedule.cycles
    return {"lr_scheduler_type": schedule.kind, "lr_scheduler_args": args}


def _type(facts: Facts) -> Json:
    adapter = facts.recipe.adapter
    if adapter is None:
        return {"type": "Full"}
    whole = "*" in adapter.targets
    return {
        "type": "Lora",
        "lora_r": adapter.rank,
        "lora_alpha": int(adapter.alpha) if adapter.alpha.is_integer() else adapter.alpha,
        "lora_dropout": adapter.dropout,
        "lora_trainable_modules": "all-linear" if whole else ",".join(adapter.targets),
    }


def _method(facts: Facts) -> Json:
    objective = facts.objective
    if facts.method == "dpo":
        return {
            "method": "dpo",
            "dpo_beta": objective.beta,
            "dpo_normalize_logratios_by_length": objective.normalize,
            "dpo_reference_free": not objective.reference,
            "rpo_alpha": objective.rpo_alpha,
            "simpo_gamma": objective.gamma,
        }
    return {"method": "sft", "train_on_inputs": objective.train_on_inputs}
