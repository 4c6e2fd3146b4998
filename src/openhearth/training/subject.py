"""What a recipe trains: an adapter beside frozen weights, or a whole model, old or new."""

from __future__ import annotations

from abc import ABC, abstractmethod

from openhearth.errors import UsageError
from openhearth.models import (
    LoraConfig,
    Model,
    ModelConfig,
    add_adapter,
    choose,
    go_on_with_adapter,
    load_model,
    save_adapter,
    save_model,
)
from openhearth.models.device import best_device
from openhearth.store import Artifact, Draft
from openhearth.training.compiled import compile_parts
from openhearth.training.group import Group
from openhearth.training.initialise import initialise
from openhearth.training.recipe import Lora, TrainRecipe
from openhearth.training.recompute import recompute
from openhearth.training.shard import Shares, shard
from openhearth.training.weights import Weights

ADAPTER = "tuned"


class Subject(ABC):
    """A model in memory, its weights that train, and how they are written."""

    adapter: str | None = None
    model: Model
    weights: Weights

    @abstractmethod
    def write(self, draft: Draft) -> None:
        """Put what was trained into an artifact."""


class Adapter(Subject):
    """Low-rank pairs on a frozen model, which is held in the dtype that computes."""

    adapter = ADAPTER

    def __init__(
        self,
        lora: Lora,
        base: Artifact,
        start: Artifact | None,
        dtype: str,
        seed: int,
        sharers: Group | None,
    ) -> None:
        self._base = base
        self.model = load_model(base, dtype, best_device() if sharers is None else "cpu")
        if start is not None:
            self._config = go_on_with_adapter(self.model, ADAPTER, start, lora.dropout)
        else:
            self._config = LoraConfig(lora.rank, lora.alpha, lora.dropout, lora.targets, lora.dora)
            add_adapter(self.model, ADAPTER, self._config, seed)
        if sharers is not None:
            shard(self.model, sharers)
        self.weights = Weights(
            {
                f"{path}.{leaf}": parameter
                for path, pair in self.model.adapter(ADAPTER).items()
                for leaf, parameter in pair.named_parameters()
            }
        )

    def write(self, draft: Draft) -> None:
        save_adapter(self.model, ADAPTER, self._config, self._base.digest, draft.path)


class Whole(Subject):
    """All weights of a model, with fp32 masters of those that compute in something narrower."""

    def __init__(
        self, model: Model, tokenizer: Artifact, dtype: str, sharers: Group | None
    ) -> None:
        self.model = model
        self._tokenizer = tokenizer
        if sharers is not None:
            self.weights = Shares(model, choose(dtype), sharers)
        else:
            self.weights = Weights.of_model(model.to(best_device()), choose(dtype))

    def write(self, draft: Draft) -> None:
        save_model(self.model.config, self.weights.tensors(), self._tokenizer, draft)


def subject(
    recipe: TrainRecipe, base: Artifact, start: Artifact | None, dtype: str, group: Group
) -> Subject:
    """What the recipe trains, in memory, shared out over a group if it says so.

    `base` is the model, or the tokenizer of a new one, `start` the version to go on from.

    Raises:
        UsageError: `start` is not of the kind that is trained, or was made for another model.
        CorruptArtifact: weights are damaged.
    """
    sharers = group if recipe.shard and group.size > 1 else None
    found = _subject(recipe, base, start, dtype, sharers)
    if recipe.compile:
        compile_parts(found.model, adapted=found.adapter is not None)
    if recipe.recompute:
        recompute(found.model)
    return found


def _subject(
    recipe: TrainRecipe,
    base: Artifact,
    start: Artifact | None,
    dtype: str,
    sharers: Group | None,
) -> Subject:
    if recipe.adapter is not None:
        if start is not None and start.kind != "adapter":
            raise UsageError(f"{recipe.start} is no adapter: set adapter to null, or leave it out.")
        return Adapter(recipe.adapter, base, start, dtype, recipe.seed, sharers)
    if start is not None and start.kind != "model":
        raise UsageError(f"{recipe.start} is no whole model: leave `adapter` in the recipe.")
    if isinstance(recipe.model, ModelConfig):
        return Whole(initialise(recipe.model, recipe.seed), base, dtype, sharers)
    return Whole(load_model(start or base, "float32"), base, dtype, sharers)
