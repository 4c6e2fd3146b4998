"""Tuning: it learns, it says the same twice, and it goes on after a stop to the same bytes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from openhearth.data import TokenShards, tokenize
from openhearth.errors import NotFound, UsageError
from openhearth.models import answer_nats, load_adapter, load_model
from openhearth.store import Draft, Store
from openhearth.training import TuneRecipe, tune

RECIPE = TuneRecipe(
    base="tiny",
    data="numbers",
    tokens=6000,
    epochs=50,
    batch_tokens=256,
    rank=8,
    learning_rate=0.02,
    dtype="float32",
)


class Stopped(Exception):
    """What the tests throw into a run where a user would press Ctrl-C."""


def stop_after(steps_done: int) -> object:
    calls = iter(range(10**6))

    def progress(stage: str, done: float, total: float | None, note: str = "") -> None:
        if stage == "tune" and next(calls) == steps_done - 1:
            raise Stopped

    return progress


def test_the_adapter_learns_what_the_base_does_not_know(store: Store) -> None:
    adapter = tune(store, RECIPE)
    tokens = tokenize(store, store.get("numbers"), store.get("tiny"))
    heldout = TokenShards.open(tokens, "heldout")
    model = load_model(store.get("tiny"), "float32")
    load_adapter(model, adapter, "x")
    every = range(len(heldout))
    before = np.concatenate(answer_nats(model, heldout, every)).mean()
    after = np.concatenate(answer_nats(model, heldout, every, adapter="x")).mean()
    assert after < 0.5 * before
    losses = [step["loss"] for step in adapter.read_json("history.json")]
    assert losses[-1] < 0.5 * losses[0]
    assert adapter.manifest.metrics["steps"] == len(losses)


def test_the_artifact_knows_what_it_was_made_from(store: Store) -> None:
    adapter = tune(store, RECIPE)
    assert adapter.manifest.inputs["base"] == store.get("tiny").digest
    tokens = store.get(adapter.manifest.inputs["tokens"])
    assert store.get("numbers").digest in tokens.manifest.inputs.values()
    assert adapter.manifest.license == ("apache-2.0",)
    assert store.cost(adapter.digest)["tokens_per_second"] > 0
    assert tune(store, RECIPE) == adapter


@pytest.mark.parametrize("stop", [1, 7])
def test_a_stopped_run_goes_on_to_the_same_digest(
    store: Store, tmp_path: Path, tiny_directory: Path, stop: int
) -> None:
    """Step 7 lies after a checkpoint (every 5), step 1 before the first."""
    with pytest.raises(Stopped):
        tune(store, RECIPE, stop_after(stop))
    assert store.find("adapter", recipe={}) is None
    assert not [a for a in store.artifacts() if a.kind == "adapter"]
    seen: list[str] = []
    resumed = tune(store, RECIPE, lambda stage, *rest: seen.append(stage))
    whole_store = Store(tmp_path / "other")
    from openhearth.models import pull
    from tests.training.conftest import make_dataset

    pull(whole_store, str(tiny_directory), name="tiny")
    make_dataset(whole_store)
    whole = tune(whole_store, RECIPE)
    assert resumed.digest == whole.digest
    total = whole.manifest.metrics["steps"]
    skipped = stop // 5 * 5
    assert seen.count("tune") == total - skipped


def test_what_makes_no_sense_is_refused(store: Store, tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        tune(store, RECIPE.model_copy(update={"base": "nobody"}))
    with pytest.raises(UsageError, match="kind dataset"):
        tune(store, RECIPE.model_copy(update={"base": "numbers"}))


def test_an_empty_dataset_is_refused(store: Store) -> None:
    import pyarrow.parquet as pq

    from tests.training.conftest import rows

    def build(draft: Draft) -> None:
        for name in ("train", "heldout"):
            pq.write_table(rows(range(0)), draft.path(f"{name}/000000.parquet"))
        draft.path("funnel.json").write_text("[]")

    store.tag("nothing", store.make("dataset", build, recipe={"rows": 0}).digest)
    with pytest.raises(UsageError, match="no training examples"):
        tune(store, RECIPE.model_copy(update={"data": "nothing"}))


def test_recipes_come_from_yaml_and_say_where_they_are_wrong(tmp_path: Path) -> None:
    path = tmp_path / "tune.yaml"
    path.write_text("base: tiny\ndata: numbers\nrank: 4\n")
    assert TuneRecipe.load(path).rank == 4
    path.write_text("base: tiny\ndata: numbers\nrang: 4\n")
    with pytest.raises(UsageError, match="recipe is wrong at rang"):
        TuneRecipe.load(path)
    path.write_text("base: [")
    with pytest.raises(UsageError, match="not YAML"):
        TuneRecipe.load(path)
    with pytest.raises(NotFound, match=r"no\.yaml"):
        TuneRecipe.load(tmp_path / "no.yaml")
