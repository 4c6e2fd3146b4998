"""From a model and a curated dataset to an adapter in the store."""

from __future__ import annotations

import orjson

from openhearth.data import TokenShards, tokenize
from openhearth.models import LoraConfig, add_adapter, base_of, choose, load_model, save_adapter
from openhearth.progress import Progress, silent
from openhearth.store import Artifact, Draft, Store
from openhearth.training.loop import train
from openhearth.training.recipe import TuneRecipe

ADAPTER = "tuned"


def tune(store: Store, recipe: TuneRecipe, progress: Progress = silent) -> Artifact:
    """Carry out a recipe. The adapter's inputs are the base model and the tokens it saw.

    Its files are those of `peft`, and `history.json`: the loss and tokens of every step. A run
    that was interrupted goes on from its last checkpoint, to the same bytes.

    Raises:
        NotFound: the store lacks the model or the dataset.
        UsageError: they are of the wrong kind, or the recipe does not fit them.
    """
    base = base_of(store.get(recipe.base))
    dataset = store.get(recipe.data)
    tokens = tokenize(store, dataset, base, max_tokens=recipe.max_tokens, progress=progress)
    # What `auto` means here is part of what is made; names are not, digests stand for them.
    settings = recipe.model_dump(exclude={"base", "data"})
    settings["dtype"] = str(choose(recipe.dtype)).removeprefix("torch.")

    def build(draft: Draft) -> None:
        progress("load", 0, None, recipe.base)
        model = load_model(base, settings["dtype"])
        lora = LoraConfig(recipe.rank, recipe.alpha)
        parameters = add_adapter(model, ADAPTER, lora, recipe.seed)
        shards = TokenShards.open(tokens, "train")
        run = train(model, ADAPTER, parameters, shards, recipe, draft.work, progress)
        save_adapter(model, ADAPTER, lora, base.digest, draft.path)
        history = [
            {"loss": loss, "tokens": size}
            for loss, size in zip(run.losses, run.tokens, strict=True)
        ]
        draft.path("history.json").write_bytes(orjson.dumps(history))
        draft.metrics |= {"steps": len(history), "tokens": sum(run.tokens), "loss": run.losses[-1]}
        draft.cost["tokens_per_second"] = run.tokens_per_second
        draft.license += base.manifest.license

    inputs = {"base": base.digest, "tokens": tokens.digest}
    return store.make("adapter", build, inputs=inputs, recipe=settings)
