"""What a run has done so far: its history, its evaluations, and the best weights it had."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch

from openhearth.training.checkpoint import Snapshot
from openhearth.training.recipe import Evaluation

WATCHED = 10  # steps
BEST, VALUE, STATE, HISTORY = "best/", "value/", "state/", "history"


class Step(NamedTuple):
    """A step's mean loss, tokens, share of the full learning rate, and gradient's norm."""

    loss: float
    tokens: int
    rate: float
    norm: float


@dataclass
class Run:
    """The steps so far. `best` are the weights of the least held-out loss, if that is watched."""

    steps: list[Step] = field(default_factory=list)
    evaluations: list[dict[str, Any]] = field(default_factory=list)
    best: dict[str, torch.Tensor] | None = None
    measured: tuple[int, float] = (0, 0.0)  # tokens and seconds of this process

    @property
    def tokens_per_second(self) -> float:
        """The speed of the steps of this process."""
        tokens, seconds = self.measured
        return tokens / seconds if seconds else 0.0

    def add(self, step: Step, seconds: float) -> None:
        """Note a step that was done."""
        self.steps.append(step)
        self.measured = self.measured[0] + step.tokens, self.measured[1] + seconds

    def wrong(self, loss: float, norm: float) -> str | None:
        """Why a step must not be taken, if so: numbers that are not finite, an exploded loss."""
        number = len(self.steps) + 1
        if not (math.isfinite(loss) and math.isfinite(norm)):
            what = f"loss is {loss}" if not math.isfinite(loss) else f"gradient's norm is {norm}"
            return (
                f"The {what} at step {number}, so the run stops with the weights before it: lower "
                "learning_rate, and look for damaged data."
            )
        last = [step.loss for step in self.steps[1 - WATCHED :]] + [loss]
        if len(last) == WATCHED and min(last) > 1.5 * self.steps[0].loss + 1:
            return (
                f"The loss began at {self.steps[0].loss:.3g} and has been above {min(last):.3g} "
                f"for {WATCHED} steps, up to step {number}: lower learning_rate, or clip more."
            )
        return None

    def judge(
        self, found: dict[str, Any], weights: Mapping[str, torch.Tensor], *, keep: bool
    ) -> None:
        """Take in an evaluation; if the best weights are to be kept, and these are, keep them."""
        before = [e["loss"] for e in self.evaluations if "loss" in e]
        self.evaluations.append({"step": len(self.steps), **found})
        if keep and "loss" in found and found["loss"] < min(before, default=math.inf):
            self.best = {name: tensor.clone() for name, tensor in weights.items()}

    def is_over(self, recipe: Evaluation) -> bool:
        """Whether `patience` evaluations after another brought nothing better."""
        best, waited = math.inf, 0
        losses = [e["loss"] for e in self.evaluations if "loss" in e]
        for number, loss in enumerate(losses):
            if loss < best - recipe.min_delta:
                best, waited = loss, 0
            elif number > recipe.grace:
                waited += 1
        return recipe.patience is not None and waited >= recipe.patience

    def snapshot(
        self, weights: Mapping[str, torch.Tensor], state: Mapping[str, torch.Tensor]
    ) -> Snapshot:
        """Everything from which the run goes on."""
        tensors = {HISTORY: torch.tensor(self.steps, dtype=torch.float64)}
        tensors |= {VALUE + name: tensor for name, tensor in weights.items()}
        tensors |= {STATE + name: tensor for name, tensor in state.items()}
        tensors |= {BEST + name: tensor for name, tensor in (self.best or {}).items()}
        return Snapshot(len(self.steps), tensors, {"evaluations": self.evaluations})

    @classmethod
    def of(cls, snapshot: Snapshot) -> Run:
        """The run as it was."""
        rows = snapshot.tensors[HISTORY].tolist()
        steps = [Step(loss, int(tokens), rate, norm) for loss, tokens, rate, norm in rows]
        return cls(steps, snapshot.note["evaluations"], under(BEST, snapshot) or None)


def under(prefix: str, snapshot: Snapshot) -> dict[str, torch.Tensor]:
    """The tensors whose names begin so, by the rest of their names."""
    return {n.removeprefix(prefix): t for n, t in snapshot.tensors.items() if n.startswith(prefix)}
