"""Studies from their recipes to their reports, stopped and gone on with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from openhearth.errors import UsageError
from openhearth.store import Artifact, Store, lineage
from openhearth.training.study import StudyRecipe, plan, study
from tests.training.study.studies import small, write_text

PROBES = {
    "tasks": [{"name": "mqar", "vocabulary": 16, "length": 8, "pairs": 2, "train": 32, "test": 16}],
    "size": {"width": 8, "depth": 1, "heads": 1},
    "teaching": {"epochs": 1, "batch": 16},
}


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_text(tmp_path_factory.mktemp("study") / "text")


@pytest.fixture(scope="module")
def recipe(text: Path) -> StudyRecipe:
    return small(text, probes=PROBES)


class Stopped(Exception):
    """As if someone had pulled the plug."""


def stop_after(runs: int) -> Iterator[None]:
    """Progress that ends the process, so to say, when so many runs are done."""
    for _ in range(runs):
        yield
    raise Stopped


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, recipe: StudyRecipe) -> Artifact:
    """A study that was stopped twice, once in the middle of a run."""
    store = Store(tmp_path_factory.mktemp("store"))
    for notes in (3, 17):
        seen = stop_after(notes)
        with pytest.raises(Stopped):
            study(store, recipe, lambda stage, *_, s=seen: next(s) if stage == "study" else None)
    return study(store, recipe)


def test_every_run_is_a_row(made: Artifact) -> None:
    rows = pq.read_table(made.path("results.parquet"))
    assert rows.num_rows == 2 * 2 * 3
    assert set(rows["mix"].to_pylist()) == {"attention", "conv"}
    assert rows["loss"].to_pylist() == rows["loss on words"].to_pylist()
    spent = zip(rows["flops"].to_pylist(), rows["budget"].to_pylist(), strict=True)
    assert all(flops <= budget for flops, budget in spent)
    store = made.store
    assert {store.load(digest).kind for digest in rows["model"].to_pylist()} == {"model"}


def test_mixes_are_ranked_and_predictions_checked(made: Artifact) -> None:
    said = made.read_json("findings.json")["slices"]["words"]
    for standings in said["standings"]:
        losses = [s["loss"]["value"] for s in standings]
        assert losses == sorted(losses)
        assert sum(s["is_best"] for s in standings) == pytest.approx(1)
    assert said["best"] == said["standings"][-1][0]["mix"]
    assert [p["mix"] for p in said["predictions"]] == ["attention", "conv"]
    for p in said["predictions"]:
        assert p["held"] == (p["foretold"]["low"] <= p["measured"] <= p["foretold"]["high"])
    assert {law["mix"] for law in said["laws"]} == {"attention", "conv"}


def test_probes_are_learnt_by_every_mix(made: Artifact) -> None:
    tried = made.read_json("findings.json")["probes"]
    assert {(t["mix"], t["task"]) for t in tried} == {("attention", "mqar"), ("conv", "mqar")}
    assert all(0 <= t["accuracy"] <= 1 for t in tried)


def test_the_page_has_the_plots(made: Artifact) -> None:
    page = made.path("index.html").read_text()
    assert page.count("<svg") == 4
    assert "the next size, foretold and measured" in page
    assert "study/small" in page


def test_a_study_that_was_stopped_is_one_that_was_not(
    made: Artifact, recipe: StudyRecipe, tmp_path: Path
) -> None:
    assert study(Store(tmp_path), recipe).digest == made.digest


def test_a_study_is_found_again(made: Artifact, recipe: StudyRecipe) -> None:
    store = made.store
    left = plan(store, recipe).estimate(store, recipe)
    assert (left.runs, left.done, left.flops, left.seconds) == (14, 14, 0, 0)
    assert study(store, recipe) == made
    assert store.get("study/small") == made
    assert {node.artifact.kind for node in lineage(made).inputs.values()} == {"report"}


def test_runs_are_shared_between_studies(made: Artifact, text: Path) -> None:
    store = made.store
    other = small(text, name=None, flops=[1e7, 1.6e7, 4.8e7], next=None)
    left = plan(store, other).estimate(store, other)
    assert (left.runs, left.done) == (12, 8)
    assert left.seconds > 0


def test_too_little_text_is_told_before_any_work(text: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="tokens, but words has"):
        plan(Store(tmp_path), small(text, most_epochs=0.1))
