"""Selection: the n documents of a corpus that suit a target, or score high, or chance picks.

Pass by pass: count the features of target and corpus, score each document, choose by the scores,
keep what was chosen. Each pass is done part by part, so a run that was killed goes on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from openhearth.data import pipeline
from openhearth.data.filter import Computed, SignalsOf
from openhearth.data.forms import Parquet
from openhearth.data.pipeline import Report
from openhearth.data.schema import Corpus
from openhearth.data.select import dsir
from openhearth.data.select.choice import Choice, sample
from openhearth.data.select.features import FEATURES
from openhearth.data.select.recipe import SelectRecipe
from openhearth.data.select.scores import (
    Importance,
    Same,
    Score,
    Signal,
)
from openhearth.data.shards import corpus_of_files
from openhearth.data.signals import Resources
from openhearth.data.write import stamp
from openhearth.errors import UsageError
from openhearth.progress import Progress, silent

TOGETHER = "target"  # what several targets are called that are one
# What scores depend on; they are not computed again when only the rest of a recipe changes.
SCORED = {"method", "features", "buckets", "per_word", "separate", "signal", "per"}


@dataclass(frozen=True)
class Selection:
    """What was chosen, and the documents, in Parquet files that a report tells of."""

    choice: Choice
    corpus: Corpus
    report: Report


@dataclass(frozen=True)
class _Plan:
    """By target how many to choose, and the step that scores for them."""

    wanted: dict[str, int]
    step: Score


def select(
    corpus: Corpus,
    targets: Mapping[str, Corpus],
    recipe: SelectRecipe,
    work: Path,
    executor: Any = None,
    *,
    signals_of: SignalsOf | None = None,
    limit: int | None = None,
    progress: Progress = silent,
) -> Selection:
    """What a recipe selects of a corpus, in Parquet files under `work`, in the corpus's order.

    `targets` are what `dsir` compares with. `signals_of` gives the signal of `top`; it is computed
    from the text if there is none. What an earlier run with the same arguments left in `work` is
    used; runs that differ in `signals_of` need folders of their own.

    Raises:
        UsageError: targets are missing or have no words, or no document can be chosen.
        HearthError: a corpus has more than `limit` broken records.
    """
    choice = choose(
        corpus,
        targets,
        recipe,
        work,
        executor,
        signals_of=signals_of,
        limit=limit,
        progress=progress,
    )
    name = _stamp(corpus, targets, recipe)
    report = pipeline.run(
        corpus,
        choice.step(),
        Parquet(),
        work / f"selected-{name}",
        executor,
        limit=limit,
        progress=progress,
        stage="select",
    )
    return Selection(choice, corpus_of_files(report.files, name), report)


def choose(
    corpus: Corpus,
    targets: Mapping[str, Corpus],
    recipe: SelectRecipe,
    work: Path,
    executor: Any = None,
    *,
    signals_of: SignalsOf | None = None,
    limit: int | None = None,
    progress: Progress = silent,
) -> Choice:
    """Which documents a recipe selects; see `select`. `Choice.step` keeps them."""
    if recipe.method == "dsir":
        count = partial(dsir.count, work=work, executor=executor, limit=limit, progress=progress)
        plan = _by_importance(corpus, targets, recipe, count)
    else:
        plan = _by_signal(recipe, signals_of)
    scored = pipeline.run(
        corpus,
        plan.step,
        plan.step.form(),
        work / f"scores-{_stamp(corpus, targets, recipe, SCORED)}",
        executor,
        limit=limit,
        progress=progress,
        stage="score",
    )
    choice = sample(scored.files, plan.wanted, recipe)
    if not len(choice.places):
        raise UsageError(
            f"None of the {choice.documents} documents of {corpus.location} can be chosen: widen "
            "the limits of words, or check the signal."
        )
    return choice


def _by_importance(
    corpus: Corpus, targets: Mapping[str, Corpus], recipe: SelectRecipe, count: Any
) -> _Plan:
    if not targets:
        raise UsageError("DSIR compares documents with a target: give one, or another method.")
    features = FEATURES[recipe.features](recipe.buckets)
    counts = {
        name: count(target, features, stage=f"count {name}").values
        for name, target in targets.items()
    }
    wanted = _split(recipe, counts) if recipe.separate else {TOGETHER: recipe.n}
    if not recipe.separate:
        counts = {TOGETHER: np.sum(list(counts.values()), axis=0)}
    weights = dsir.fit(counts, count(corpus, features).values)
    scorer = Importance(features, weights, recipe.per_word)
    return _Plan(wanted, Score(scorer, weights.domains, recipe.per))


def _split(recipe: SelectRecipe, counts: Mapping[str, np.ndarray]) -> dict[str, int]:
    """How many documents for each target; the last one gets what rounding leaves."""
    shares = recipe.shares or {name: float(found.sum()) for name, found in counts.items()}
    if shares.keys() != counts.keys():
        raise UsageError(f"shares must be of the targets, which are {', '.join(counts)}.")
    total = sum(shares.values())
    wanted = {name: int(recipe.n * shares[name] / total) for name in counts}
    wanted[list(wanted)[-1]] += recipe.n - sum(wanted.values())
    return wanted


def _by_signal(recipe: SelectRecipe, signals_of: SignalsOf | None) -> _Plan:
    if recipe.signal is None:
        return _Plan(
            {recipe.method: recipe.n}, Score(Same(recipe.limits_words), ("random",), recipe.per)
        )
    scorer = Signal(
        recipe.signal,
        signals_of or Computed((recipe.signal,), Resources()),
        recipe.limits_words,
    )
    return _Plan({recipe.signal: recipe.n}, Score(scorer, (recipe.signal,), recipe.per))


def _stamp(
    corpus: Corpus,
    targets: Mapping[str, Corpus],
    recipe: SelectRecipe,
    fields: set[str] | None = None,
) -> str:
    """What tells files that these fields of a recipe made from others in the same folder."""
    compared = {name: (target.location, target.fingerprint) for name, target in targets.items()}
    settings = recipe.model_dump(mode="json", include=fields)
    return stamp(corpus, [compared, settings, recipe.limits_words])[:16]
