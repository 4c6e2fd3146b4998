"""Training on a Ray cluster: its workers are the group, and all of them see one store.

Ray starts them, and starts as many again as there is room for when a machine is lost, or has come
back; the run then goes on from its last checkpoint, as any run does.
"""

from __future__ import annotations

import tempfile
from typing import Any

from openhearth.errors import HearthError, MissingExtra
from openhearth.store import Artifact, Store
from openhearth.training.group import Group
from openhearth.training.recipe import TrainRecipe
from openhearth.training.train import carry_out

RESTARTS = 3


def carry_out_on_ray(
    store: Store, recipe: TrainRecipe, workers: int, address: str = "ray"
) -> Artifact:
    """Carry out a recipe by at most so many workers of this machine (`ray`), or of a `ray://`
    address.

    Raises:
        MissingExtra: Ray Train is not installed.
        HearthError: as `carry_out`, or the workers failed more than `RESTARTS` times.
    """
    try:
        import ray.train
        from ray.train.torch import TorchTrainer
    except ModuleNotFoundError as error:
        raise MissingExtra(error.name or "ray", "ray") from error
    from openhearth.data.ray import Ray

    Ray(address)
    import torch

    with tempfile.TemporaryDirectory(dir=store.root / "tmp") as notes:
        trainer = TorchTrainer(
            _work,
            train_loop_config={
                "store": str(store.root),
                "recipe": recipe.model_dump(mode="json", by_alias=True),
            },
            scaling_config=ray.train.ScalingConfig(
                num_workers=(1, workers), use_gpu=torch.cuda.is_available()
            ),
            run_config=ray.train.RunConfig(
                storage_path=notes,
                failure_config=ray.train.FailureConfig(max_failures=RESTARTS),
            ),
        )
        try:
            trainer.fit()
        except ray.train.v2.api.exceptions.TrainingFailedError as error:
            raise _ours(error) from error
    return carry_out(store, recipe, group=Group())  # finds what the workers made


def _work(settings: dict[str, Any]) -> None:
    """What each worker does."""
    carry_out(Store(settings["store"]), TrainRecipe.parse(settings["recipe"]), group=Group.join())


def _ours(error: Any) -> HearthError:
    """A worker's own error, if it was one that is expected, and not one of Ray's."""
    failures = getattr(error, "worker_failures", {}) or {}
    for failure in failures.values():
        for cause in (
            failure,
            getattr(failure, "__cause__", None),
            getattr(failure, "cause", None),
        ):
            if isinstance(cause, HearthError):
                return cause
    return HearthError(f"Training on the cluster failed: {error}")
