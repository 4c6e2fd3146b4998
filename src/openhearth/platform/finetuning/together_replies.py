"""What Together's API tells of fine-tuning beside the job itself."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from openhearth.platform.finetuning.charges import Estimate
from openhearth.platform.finetuning.facts import Facts
from openhearth.platform.finetuning.together_job import FineTuneEvent, FineTuneReply, moment
from openhearth.platform.jobs import Metric

UNITS_OF_CREDIT = 100_000_000
METRICS = {
    "loss": "train/loss",
    "learning_rate": "train/learning_rate",
    "gradient_norm": "train/grad_norm",
    "tokens": "train/tokens",
    "tokens_per_second": "train/tokens_per_second",
    "heldout_loss": "eval/loss",
}


class FineTuneList(BaseModel):
    """All jobs of the project, newest first."""

    data: list[FineTuneReply]

    @classmethod
    def of(cls, jobs: Iterable[Facts]) -> FineTuneList:
        """Of these jobs."""
        return cls(data=[FineTuneReply.of(facts) for facts in jobs])


class FineTuneEvents(BaseModel):
    """What happened, in order."""

    data: list[FineTuneEvent]


class FineTuneMetrics(BaseModel):
    """A row for each step."""

    metrics: list[dict[str, float]]

    @classmethod
    def of(cls, metrics: Sequence[Metric], resolution: int | None) -> FineTuneMetrics:
        """Of so many steps, evenly chosen, with the first and the last; and those measured."""
        chosen = set(_evenly(len(metrics), resolution))
        return cls(
            metrics=[
                _row(metric)
                for i, metric in enumerate(metrics)
                if i in chosen or "heldout_loss" in metric.values
            ]
        )


class Kept(BaseModel):
    """A version that can be served and downloaded."""

    checkpoint_type: str
    checkpoint: Literal["model", "adapter"]
    created_at: str
    path: str
    step: int
    object_name: str


class CheckpointList(BaseModel):
    """What a job kept, in order; nothing until it has succeeded."""

    data: list[Kept]

    @classmethod
    def of(cls, facts: Facts) -> CheckpointList:
        """Of a job."""
        if not facts.result:
            return cls(data=[])
        last = {"step": facts.result["steps"], "name": facts.result["name"]}
        kept = [*facts.result["checkpoints"], last]
        return cls(
            data=[
                Kept(
                    checkpoint_type=f"{'Final' if row is last else 'Intermediate'} {row['step']}",
                    checkpoint=facts.result["kind"],
                    created_at=moment(facts.updated).isoformat(),
                    path=row["name"],
                    step=row["step"],
                    object_name=row["name"],
                )
                for row in kept
            ]
        )


class PriceReply(BaseModel):
    """What a job would cost, in dollars."""

    estimation_available: Literal[True] = True
    allowed_to_proceed: bool
    estimated_total_price: float
    estimated_train_token_count: int
    estimated_eval_token_count: int = Field(default=0, description="Measuring costs nothing.")
    user_limit: float

    @classmethod
    def of(cls, estimate: Estimate) -> PriceReply:
        """Of an estimate."""
        price, available = estimate.price, estimate.available
        return cls(
            allowed_to_proceed=available is None or available >= price,
            estimated_total_price=price / UNITS_OF_CREDIT,
            estimated_train_token_count=estimate.tokens,
            user_limit=(price if available is None else available) / UNITS_OF_CREDIT,
        )


class DatasetReply(BaseModel):
    """Where the tokens of a job are to be had for a while, without a key."""

    url: str
    filename: str
    size: int
    content_type: str
    expires_at: datetime


class Deletion(BaseModel):
    """The job is forgotten; what it made stays."""

    message: str


def _row(metric: Metric) -> dict[str, float]:
    row: dict[str, float] = {"train/global_step": metric.step, "timestamp": metric.created}
    return row | {METRICS[name]: value for name, value in metric.values.items() if name in METRICS}


def _evenly(count: int, wanted: int | None) -> list[int]:
    """Positions of so many of `count` rows."""
    if wanted is None or wanted >= count:
        return list(range(count))
    if wanted == 1:
        return [count - 1]
    return [round(i * (count - 1) / (wanted - 1)) for i in range(wanted)]
