"""A fine-tuning job in neither dialect: what both replies say of it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from openhearth.platform.jobs import Job

if TYPE_CHECKING:
    from openhearth.training import TrainRecipe


@dataclass(frozen=True)
class Facts:
    """A job, and what it costs in units."""

    job: Job
    price: int

    @cached_property
    def recipe(self) -> TrainRecipe:
        """What is carried out."""
        from openhearth.training import TrainRecipe

        return TrainRecipe.parse(self.job.payload["recipe"])

    @property
    def asked(self) -> dict[str, Any]:
        """What the request said that is in no recipe."""
        found: dict[str, Any] = self.job.payload["asked"]
        return found

    @property
    def result(self) -> dict[str, Any]:
        """What was made; empty until then."""
        return self.job.result or {}

    @property
    def objective(self) -> Any:
        """What is made smaller: of `sft`, or of `preference`."""
        return self.recipe.objective

    @property
    def method(self) -> Literal["sft", "dpo"]:
        """How it learns."""
        return "dpo" if self.objective.name == "preference" else "sft"

    @property
    def batch(self) -> int:
        """Examples, or packed rows, of a step."""
        sequences = 2 if self.method == "dpo" else 1
        rows = self.recipe.batch_tokens // (sequences * self.recipe.max_tokens)
        return self.recipe.batch_examples or rows

    @property
    def step(self) -> int | None:
        """The steps that are done."""
        return (self.job.checkpoint or {}).get("step")

    @property
    def steps(self) -> int | None:
        """All steps."""
        return self.result.get("steps") or (self.job.checkpoint or {}).get("total")

    @property
    def seconds(self) -> int | None:
        """What the whole run will take from its start, by what it took so far; None if it does not
        run, or nothing is known.
        """
        job = self.job
        if job.state != "running" or job.started is None or not self.step or not self.steps:
            return None
        return int((time.time() - job.started) * self.steps / self.step)

    @property
    def updated(self) -> int:
        """When its state changed last."""
        return self.job.finished or self.job.started or self.job.created
