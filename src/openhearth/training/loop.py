"""The training loop: one for every objective, for adapters and whole models, alone or in a group.

Everything that a step does follows from the recipe and the step's number, so a run that was killed
goes on from its last checkpoint to the bytes of one that was not.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from openhearth.errors import HearthError
from openhearth.models import Model
from openhearth.progress import Note, Progress, silent
from openhearth.training.allocator import kept_memory
from openhearth.training.balance import Balancer
from openhearth.training.checkpoint import Checkpoints
from openhearth.training.evaluation import Evaluator
from openhearth.training.exact import exact_on
from openhearth.training.group import Group
from openhearth.training.items import Items, collate
from openhearth.training.optimizers import Optimizer
from openhearth.training.order import Order, micro_batches
from openhearth.training.permute import mixed
from openhearth.training.recipe import TrainRecipe
from openhearth.training.run import STATE, VALUE, Run, Step, under
from openhearth.training.shard import is_sharded
from openhearth.training.shares import by_kind, collect, whole
from openhearth.training.stages import Stages, evenly
from openhearth.training.weights import Weights


@dataclass(frozen=True)
class Job:
    """A recipe with everything in memory that it names."""

    recipe: TrainRecipe
    model: Model
    adapter: str | None
    weights: Weights
    items: Items
    order: Order
    evaluator: Evaluator


def train(job: Job, work: Path, progress: Progress = silent, group: Group | None = None) -> Run:
    """Train the weights of a job, going on from what `work` holds. Of weights that were shared out
    the leader then has all.

    Raises:
        HearthError: the loss is not a number any more, or has exploded; what was good is kept.
    """
    group = group or Group()
    optimizer = Optimizer(job.recipe.optimizer, job.weights.masters)
    stages = Stages(work, job.recipe.stages, len(job.order))
    with _checkpoints(work, group) as checkpoints, _exact(job.model), kept_memory():
        balancer = Balancer(job.recipe.balance, job.model)
        run = group.in_turn(lambda: _resume(job, optimizer, checkpoints))
        job.model.train()
        while len(run.steps) < len(job.order) and not run.is_over(job.recipe.evaluation):
            started = time.perf_counter()
            loss, tokens = _gradients(job, balancer, len(run.steps), group)
            norm = _clip(job.weights, job.recipe.clip)
            if wrong := run.wrong(loss, norm):
                checkpoints.wait()
                _save(job, run, optimizer, checkpoints, group)
                raise HearthError(wrong)
            rate = job.recipe.schedule.rate(len(run.steps), len(job.order))
            optimizer.step(rate)
            optimizer.zero_grad()
            balancer.step()
            job.weights.publish()
            run.add(Step(loss, tokens, rate, norm), time.perf_counter() - started)
            _look(job, run, group)
            _keep(job, run, stages, group)
            if len(run.steps) % job.recipe.checkpoint_steps == 0:
                _save(job, run, optimizer, checkpoints, group)
            _report(job, run, progress)
    if run.best is not None:
        job.weights.restore(run.best)
    job.weights.unite(keep=group.leads)
    job.model.eval()
    return run


def _exact(model: Model) -> AbstractContextManager[None]:
    """FlashAttention is exact only where exactness is strict, which torch's cumulative sums on a
    GPU, of which some mixers and experts make use, do not allow.
    """
    blocks = [(b.mixer.name, b.channel and b.channel.name) for b in model.config.blocks]
    plain = ("attention", "short_conv")
    strict = all(mixer in plain and channel != "moe" for mixer, channel in blocks)
    return exact_on(model.device, strict=strict)


def _save(job: Job, run: Run, optimizer: Optimizer, checkpoints: Checkpoints, group: Group) -> None:
    if not run.steps:
        return
    snapshot = run.snapshot(job.weights.tensors(), optimizer.tensors())
    tensors = collect(snapshot.tensors, keep=group.leads)
    if group.leads:
        checkpoints.save(replace(snapshot, tensors=tensors))


def _checkpoints(work: Path, group: Group) -> Checkpoints:
    return Checkpoints(work / "checkpoints", writes=group.leads)


def _resume(job: Job, optimizer: Optimizer, checkpoints: Checkpoints) -> Run:
    snapshot = checkpoints.newest()
    if snapshot is None:
        return Run()
    job.weights.restore(under(VALUE, snapshot))
    optimizer.restore(under(STATE, snapshot))
    return Run.of(snapshot)


def _gradients(job: Job, balancer: Balancer, step: int, group: Group) -> tuple[float, int]:
    """The mean loss of a step over all processes, with its gradients, and its tokens."""
    objective, chosen = job.recipe.objective, job.order[step]
    weight = max(1, objective.weight(job.items, chosen))
    tokens = int(job.items.lengths[list(chosen)].sum())
    total = torch.zeros(())
    parts = micro_batches(job.items, chosen, job.recipe.micro_tokens)
    for number, part in group.share(list(enumerate(parts))):
        # What dropout draws from is of the place in the run, so that none of it needs to be saved.
        torch.manual_seed(mixed(job.recipe.seed, step, number))
        batch = collate(job.items, part, job.adapter, job.model.device)
        loss = objective.loss(job.model, batch) / weight
        uneven = balancer.take(batch.ragged) * (batch.ragged.rows / tokens)
        (loss + uneven).backward()
        total += loss.detach()
    if is_sharded(job.model) and group.lacks(len(parts)):
        _keep_up(job, chosen)
    group.sum([*job.weights.gradients(), total, *balancer.loads])
    return total.item(), tokens


def _keep_up(job: Job, chosen: Sequence[int]) -> None:
    """A pass that adds nothing, since others cannot do theirs without this process's weights."""
    batch = collate(job.items, chosen[:1], job.adapter, job.model.device)
    (0 * job.recipe.objective.loss(job.model, batch)).backward()


def _clip(weights: Weights, most: float) -> float:
    """The norm of all gradients together, which is then at most `most`; 0 leaves it as it is."""
    kinds = by_kind(weights.masters.values())
    norms = [
        whole(torch.nn.utils.get_total_norm([w.grad for w in kind if w.grad is not None]))
        for kind in kinds
    ]
    norm = math.hypot(*(norm.item() for norm in norms))
    for kind in kinds:
        torch.nn.utils.clip_grads_with_norm_(kind, most or math.inf, torch.tensor(norm))
    return norm


def _look(job: Job, run: Run, group: Group) -> None:
    """Evaluate where the recipe says so."""
    recipe, done, steps = job.recipe.evaluation, len(run.steps), len(job.order)
    by_steps = recipe.every is not None and (done % recipe.every == 0 or done == steps)
    if by_steps or (recipe.times is not None and done in evenly(recipe.times, steps)):
        # Who measures by other arithmetic must not come to another end.
        found = group.agree(job.evaluator.measure(job.model))
        run.judge(found, job.weights.tensors(), keep=job.recipe.evaluation.patience is not None)


def _keep(job: Job, run: Run, stages: Stages, group: Group) -> None:
    """Keep the weights of this moment, if they are to become a version."""
    if stages.wants(len(run.steps)):
        tensors = collect(job.weights.tensors(), keep=group.leads)
        if group.leads:
            stages.keep(len(run.steps), tensors)


def _report(job: Job, run: Run, progress: Progress) -> None:
    step, speed = run.steps[-1], run.tokens_per_second
    numbers = {
        "loss": step.loss,
        "tokens": step.tokens,
        "learning_rate": step.rate * job.recipe.optimizer.learning_rate,
        "gradient_norm": step.norm,
        "tokens_per_second": speed,
    }
    text = f"loss {step.loss:.3f}"
    if run.evaluations and "loss" in (last := run.evaluations[-1]):
        text += f", held out {last['loss']:.3f}"
        if last["step"] == len(run.steps):
            numbers["heldout_loss"] = last["loss"]
    text += f", {speed:.0f} tokens/s"
    stage = "tune" if job.adapter else "train"
    progress(stage, len(run.steps), len(job.order), Note(text, **numbers))
