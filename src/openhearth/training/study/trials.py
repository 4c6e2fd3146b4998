"""The probes of a study: every mix learns every task; each trial is done once and found again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from openhearth.progress import Progress
from openhearth.store import Artifact, Draft, Store
from openhearth.training.study.mixes import model_of
from openhearth.training.study.probes import Probe
from openhearth.training.study.probes.trial import accuracy
from openhearth.training.study.recipe import StudyRecipe


@dataclass(frozen=True)
class Trial:
    """The share of a task's labels that a mix told right; `settings` are the task's."""

    mix: str
    task: str
    settings: dict[str, Any]
    accuracy: float


def trials(
    store: Store, recipe: StudyRecipe, progress: Progress
) -> tuple[list[Trial], list[Artifact]]:
    """All of them, and the artifacts that hold them.

    Raises:
        UsageError: a mix does not fit the probes' size.
    """
    if recipe.probes is None:
        return [], []
    wanted = [(mix, probe) for probe in recipe.probes.tasks for mix in recipe.mixes]
    done = []
    for number, (mix, probe) in enumerate(wanted):
        done.append(_trial(store, recipe, mix, probe))
        said = done[-1][0]
        progress("probes", number + 1, len(wanted), f"{said.task} {mix} {said.accuracy:.3f}")
    return [trial for trial, _ in done], [artifact for _, artifact in done]


def _trial(store: Store, recipe: StudyRecipe, mix: str, probe: Probe) -> tuple[Trial, Artifact]:
    assert recipe.probes is not None
    how = recipe.probes
    config = model_of(
        mix,
        recipe.mixes[mix],
        how.size,
        vocabulary=probe.vocabulary,
        context=probe.length,
        settings=recipe.model,
    )

    def build(draft: Draft) -> None:
        draft.metrics["accuracy"] = accuracy(config, probe, how.teaching, recipe.seed)

    settings = probe.model_dump(mode="json")
    made = store.make(
        "report",
        build,
        recipe={
            "study": "trial",
            "model": config.model_dump(mode="json"),
            "probe": settings,
            "teaching": how.teaching.model_dump(mode="json"),
            "seed": recipe.seed,
        },
    )
    return Trial(mix, settings.pop("name"), settings, made.manifest.metrics["accuracy"]), made
