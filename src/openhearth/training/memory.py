"""How much memory a run will take, said before it is taken."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch

from openhearth.errors import HearthError, UsageError
from openhearth.models.device import making_on
from openhearth.training.items import collate
from openhearth.training.loss import rows_at_once
from openhearth.training.shard import is_sharded, passing
from openhearth.training.shares import mine

if TYPE_CHECKING:
    from openhearth.training.loop import Job
    from openhearth.training.recipe import TrainRecipe

GROUP_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current")


def needed(job: Job) -> int:
    """Bytes that training takes of the device that computes, beyond the model or this process's
    share of it: gradients, moments, a checkpoint on its way (which is never on a GPU), and what a
    micro-batch leaves for backward, measured on one item. All processes must ask.
    """
    masters = job.weights.masters.values()
    moving = sum(weight.numel() for weight in masters) * 4
    held = sum(mine(weight).numel() for weight in masters) * 4
    moments = 1 if job.recipe.optimizer.name == "muon" else 2
    best = job.recipe.evaluation.patience is not None
    fetched = 2 * 4 * passing(job.model) if is_sharded(job.model) else 0
    vocabulary = job.model.config.vocab_size
    logits = 3 * rows_at_once(job.model.device, vocabulary) * vocabulary * 4
    batch = job.recipe.micro_tokens or job.recipe.batch_tokens
    per_token = _saved(job) / int(job.items.lengths[job.order[0][0]])
    leaving = moving * (1 + moments) if job.model.device.type == "cpu" else 0
    kept = held * (1 + moments + best) + leaving
    return round(kept + fetched + logits + batch * per_token)


def _saved(job: Job) -> int:
    """Bytes that the backward pass of one item needs, weights not counted."""
    seen: dict[int, torch.UntypedStorage] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        seen[storage.data_ptr()] = storage
        return tensor

    device = job.model.device
    batch = collate(job.items, job.order[0][:1], job.adapter, device)
    hooks = torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor)
    with hooks, making_on(device):
        loss = job.recipe.objective.loss(job.model, batch)
    # Of a model that is shared out these are the weights that are whole by now.
    weights = {mine(p).untyped_storage().data_ptr() for p in job.model.parameters()}
    del loss
    return sum(s.nbytes() for place, s in seen.items() if place not in weights)


def available(device: torch.device) -> int | None:
    """Bytes that this process may still take of a device; None where the system does not say."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        free = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvail"))
    except (OSError, StopIteration):
        return None
    try:
        most, used = (Path(path).read_text().strip() for path in GROUP_LIMITS)
    except OSError:
        return free
    return free if most == "max" else min(free, int(most) - int(used))


def check(job: Job) -> int:
    """What is needed, if it is there.

    Raises:
        UsageError: the run needs more memory than there is.
    """
    free, wanted = available(job.model.device), needed(job)
    if free is not None and wanted > free:
        raise UsageError(
            f"Training needs about {wanted / 1e9:.1f} GB beside the model, but {free / 1e9:.1f} GB "
            f"are free: {_remedy(job.recipe)}."
        )
    return wanted


def explained(error: Exception, recipe: TrainRecipe, wanted: int) -> Exception:
    """An error of the allocator as a sentence; any other as it is."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError) or "allocate memory" in str(error):
        return HearthError(
            f"There was not enough memory, of which training needs about {wanted / 1e9:.1f} "
            f"GB beside the model: {_remedy(recipe)}."
        )
    return error


def _remedy(recipe: TrainRecipe) -> str:
    now = recipe.micro_tokens or recipe.batch_tokens
    return f"set micro_tokens (now {now}) lower" + (
        "" if recipe.recompute else ", or recompute: true"
    )
