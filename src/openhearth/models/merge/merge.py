"""One model of several, a tensor at a time."""

from __future__ import annotations

from collections.abc import Sequence
from zlib import crc32

import numpy as np
import torch

from openhearth.errors import UsageError
from openhearth.models.adapted import open_adapted
from openhearth.models.config import ModelConfig
from openhearth.models.export import tensors_of, write_shards
from openhearth.models.merge import methods
from openhearth.models.merge.recipe import MergeRecipe
from openhearth.models.stored import base_of
from openhearth.models.weights import Weights
from openhearth.store import Artifact, Draft, Store

TOKENIZER = ("tokenizer.json", "tokenizer_config.json")


class Merged(Weights):
    """The tensors of several models, made one as `recipe` says; `base` is the last of them."""

    def __init__(self, recipe: MergeRecipe, weights: Sequence[Weights], base: Weights | None):
        self._recipe, self._weights, self._base = recipe, weights, base

    def values(self, name: str) -> np.ndarray:
        return self._merged(name, [_wide(weights, name) for weights in self._weights]).numpy()

    def read(self, name: str) -> torch.Tensor:
        kind = self._weights[0].read(name).dtype
        return torch.from_numpy(self.values(name)).to(kind)

    def _merged(self, name: str, tensors: list[torch.Tensor]) -> torch.Tensor:
        recipe, counts = self._recipe, [source.weight for source in self._recipe.models]
        if recipe.method == "linear":
            return methods.linear(tensors, counts)
        if recipe.method == "slerp":
            first, second = tensors
            return methods.slerp(first, second, recipe.share)
        assert self._base is not None
        base = _wide(self._base, name)
        if recipe.method == "ties":
            return methods.ties(base, tensors, counts, recipe.density)
        if recipe.method == "dare":
            seed = recipe.seed ^ crc32(name.encode())  # whatever the order of the tensors
            generator = torch.Generator().manual_seed(seed)
            return methods.dare(base, tensors, counts, recipe.density, generator)
        return methods.task_arithmetic(base, tensors, counts)


class Stacked(Weights):
    """Blocks of several models on one another; `origins` are model and block of each, by number.
    All that is in no block is the first model's, but the last norm and the head the last one's.
    """

    def __init__(self, weights: Sequence[Weights], origins: Sequence[tuple[int, int]]) -> None:
        self._weights, self._origins = weights, origins

    def values(self, name: str) -> np.ndarray:
        weights, theirs = self._origin(name)
        return weights.values(theirs)

    def read(self, name: str) -> torch.Tensor:
        weights, theirs = self._origin(name)
        return weights.read(theirs)

    def _origin(self, name: str) -> tuple[Weights, str]:
        kind, _, rest = name.partition(".")
        if kind != "blocks":
            return self._weights[-1 if kind in ("norm", "head") else 0], name
        number, _, leaf = rest.partition(".")
        model, block = self._origins[int(number)]
        return self._weights[model], f"blocks.{block}.{leaf}"


def merge(store: Store, recipe: MergeRecipe) -> Artifact:
    """Make a model as `recipe` says, with the tokenizer of the first one.

    Raises:
        NotFound: there is no model of a name.
        UsageError: they have not the same layers.
        CorruptArtifact: files are damaged.
    """
    sources = [store.get(source.model) for source in recipe.models]
    inputs = {f"model {i}": artifact.digest for i, artifact in enumerate(sources)}
    base = store.get(recipe.base) if recipe.base else None
    if base is not None:
        inputs["base"] = base.digest

    def build(draft: Draft) -> None:
        config, weights = _combined(recipe, sources, base)
        draft.path("config.json").write_text(config.model_dump_json())
        for name in TOKENIZER:
            draft.path(name).write_bytes(base_of(sources[0]).path(name).read_bytes())
        write_shards(draft.path("config.json").parent, tensors_of(config, weights, None))

    settings = recipe.model_dump(
        mode="json", exclude={"models": {"__all__": {"model"}}, "base": True}
    )
    return store.make("model", build, inputs=inputs, recipe={"merge": settings})


def _combined(
    recipe: MergeRecipe, sources: Sequence[Artifact], base: Artifact | None
) -> tuple[ModelConfig, Weights]:
    configs, weights = zip(*map(open_adapted, sources), strict=True)
    if recipe.method == "stack":
        return _stacked(recipe, configs, weights)
    origin = open_adapted(base) if base is not None else None
    for source, config in zip(recipe.models, configs, strict=True):
        if config != (origin or (configs[0],))[0]:
            raise UsageError(
                f"{source.model} has other layers or settings than the others: only models that "
                "were tuned from the same one can be merged."
            )
    return configs[0], Merged(recipe, weights, origin and origin[1])


def _stacked(
    recipe: MergeRecipe, configs: Sequence[ModelConfig], weights: Sequence[Weights]
) -> tuple[ModelConfig, Weights]:
    origins: list[tuple[int, int]] = []
    for number, (source, config) in enumerate(zip(recipe.models, configs, strict=True)):
        first, end = source.blocks or (0, len(config.blocks))
        if not first < end <= len(config.blocks):
            raise UsageError(
                f"{source.model} has no blocks from {first} to before {end}: it has "
                f"{len(config.blocks)}."
            )
        if config.model_copy(update={"blocks": configs[0].blocks}) != configs[0]:
            raise UsageError(
                f"{source.model} differs from {recipe.models[0].model} in width, vocabulary or "
                "norms: only blocks of models that agree in all else can be stacked."
            )
        origins += [(number, block) for block in range(first, end)]
    blocks = tuple(configs[number].blocks[block] for number, block in origins)
    return configs[0].model_copy(update={"blocks": blocks}), Stacked(weights, origins)


def _wide(weights: Weights, name: str) -> torch.Tensor:
    return torch.from_numpy(weights.values(name))
