"""A study from its recipe to its report: the sweep, what it foretells, and whether that holds.

Every run is an artifact of its own: a study that was killed goes on where it was, and one that
shares runs with another finds them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from openhearth.progress import Progress, silent
from openhearth.store import Artifact, Draft, Store
from openhearth.training.study.estimate import Estimate, estimate
from openhearth.training.study.findings import find
from openhearth.training.study.grid import Run, next_runs, sweep
from openhearth.training.study.recipe import StudyRecipe
from openhearth.training.study.report import write
from openhearth.training.study.slices import Slices, prepare
from openhearth.training.study.train_run import Measured, find_run, train_run
from openhearth.training.study.trials import trials


@dataclass(frozen=True)
class Plan:
    """The runs of a study, over slices that are ready: those of the sweep, and those beyond it."""

    slices: Slices
    swept: list[Run]
    beyond: list[Run]

    @property
    def runs(self) -> list[Run]:
        """All of them, in the order in which they are done."""
        return [*self.swept, *self.beyond]

    def estimate(self, store: Store, recipe: StudyRecipe, progress: Progress = silent) -> Estimate:
        """How long those take that are not done yet, probes apart."""
        missing = [r for r in self.runs if find_run(store, recipe, r, self.slices) is None]
        return estimate(
            self.runs,
            missing,
            batch_tokens=recipe.batch_tokens,
            heldout_tokens=recipe.heldout_rows * recipe.context * len(recipe.slices),
            progress=progress,
        )


def plan(store: Store, recipe: StudyRecipe, progress: Progress = silent) -> Plan:
    """The runs of a recipe; its slices are read and tokenised, nothing is trained.

    Raises:
        NotFound: the store lacks a slice or the tokenizer.
        UsageError: a slice has nothing held out or too few tokens, or a mix does not fit a size.
    """
    slices = prepare(store, recipe, progress)
    vocabulary = slices.vocabulary
    found = Plan(slices, sweep(recipe, vocabulary), next_runs(recipe, vocabulary))
    slices.check(found.runs, recipe.most_epochs)
    return found


def study(
    store: Store, recipe: StudyRecipe, progress: Progress = silent, planned: Plan | None = None
) -> Artifact:
    """Carry a study out. The report's files are `results.parquet`, a row for each run,
    `findings.json`, and `index.html`; its inputs are the runs and the trials of probes.

    Raises:
        NotFound, UsageError: as `plan` does.
        HearthError: the loss of a run is not a number any more, or has exploded.
    """
    ready = planned or plan(store, recipe, progress)
    measured = _train(store, recipe, ready, progress)
    swept, beyond = measured[: len(ready.swept)], measured[len(ready.swept) :]
    tried, of_trials = trials(store, recipe, progress)

    def build(draft: Draft) -> None:
        found = [
            find(
                name,
                _on(name, swept),
                _on(name, beyond),
                draws=recipe.draws,
                seed=recipe.seed,
                progress=progress,
            )
            for name in recipe.slices
        ]
        write(draft, recipe, found, tried)
        draft.license += sorted({name for m in measured for name in m.artifact.manifest.license})

    made = store.make(
        "report",
        build,
        inputs={f"run {i}": m.artifact.digest for i, m in enumerate(measured)}
        | {f"trial {i}": artifact.digest for i, artifact in enumerate(of_trials)},
        recipe={"study": recipe.model_dump(mode="json", exclude={"name"})},
    )
    if recipe.name:
        store.tag(recipe.name, made.digest)
    return made


def _train(store: Store, recipe: StudyRecipe, ready: Plan, progress: Progress) -> list[Measured]:
    total = sum(run.flops for run in ready.runs)
    found: list[Measured] = []
    for number, run in enumerate(ready.runs):
        done = sum(m.run.flops for m in found)
        within = _within(run, f"run {number + 1} of {len(ready.runs)}", done, total, progress)
        found.append(train_run(store, recipe, run, ready.slices, within))
        note = f"{run.label}: held out {found[-1].loss:.4f}"
        progress("study", done + run.flops, total, note)
    return found


def _within(
    run: Run, number: str, done: float, total: float, progress: Progress
) -> Callable[[str, float, float | None, str], None]:
    """The progress of a run as that of the study, which is counted in FLOPs."""

    def show(stage: str, steps: float, of: float | None, note: str) -> None:
        if stage == "train" and of:
            now = done + run.flops * steps / of
            progress("study", min(now, total * (1 - 1e-9)), total, f"{number}, {run.label}, {note}")

    return show


def _on(slice_: str, measured: Sequence[Measured]) -> list[Measured]:
    return [m for m in measured if m.run.slice == slice_]
