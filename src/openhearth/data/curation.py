"""From text to a dataset: read, compute signals, filter, clean, remove duplicates, hold out.

Three artifacts come of it, each the input of the next: the corpus (what was there), the signals
(an overlay, keyed by document id) and the dataset (what is kept, and the funnel that says what
each step removed). All of it is done part by part, so a run that was killed goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import orjson

from openhearth.data import dedup, pipeline, split
from openhearth.data.corpus import counted, make_corpus, store_corpus, store_signals
from openhearth.data.filter import Filter, Published, looked_at, needed, of_answers
from openhearth.data.forms import Parquet
from openhearth.data.funnel import funnel
from openhearth.data.pipeline import Report, Step
from openhearth.data.recipe import CurateRecipe
from openhearth.data.rules import Rule, load_rules
from openhearth.data.schema import Corpus
from openhearth.data.select import Decontaminate, Mask, Mixing, choose, index_evaluations
from openhearth.data.select.choice import SELECTION
from openhearth.data.select.mask import NAME as MASKED
from openhearth.data.select.mix import LOCATION as MIXTURE
from openhearth.data.shards import corpus_of, corpus_of_files, keep, shard_paths
from openhearth.data.signals import PUBLISHED
from openhearth.data.sources import read
from openhearth.data.tally import Tally
from openhearth.progress import Progress, silent
from openhearth.store import Artifact, Draft, Store


def curate(
    store: Store, recipe: CurateRecipe, progress: Progress = silent, executor: Any = None
) -> Artifact:
    """Carry out a recipe; the dataset has shards in `train/` and `heldout/`, and `funnel.json`.

    Raises:
        NotFound: there is nothing at the source, or no such rule set.
        UsageError: a rule is wrong, or nothing is left to train on or to measure with.
        HearthError: the source has more broken records than the recipe allows.
    """
    rules = tuple(load_rules(recipe.rules, recipe.off))
    corpus = _corpus(store, recipe, rules, progress, executor)
    names = (*PUBLISHED, *recipe.signals.scorers, *needed(rules))
    signals = store_signals(store, corpus, names, recipe.signals, progress, executor)
    return store.make(
        "dataset",
        partial(_build, corpus, signals, rules, recipe, progress, executor),
        inputs={"corpus": corpus.digest, "signals": signals.digest},
        recipe=recipe.settings(rules),
    )


def _corpus(
    store: Store, recipe: CurateRecipe, rules: Sequence[Rule], progress: Progress, executor: Any
) -> Artifact:
    """The documents of the recipe, or the examples that they make, in the store."""
    shape = "examples" if of_answers(rules) else "documents"
    settings = recipe.quarantine, progress, executor
    if recipe.source is not None:
        corpus = looked_at(read(recipe.source, recipe.format), rules)
        return store_corpus(store, corpus, shape, *settings)
    assert recipe.mixture is not None
    mixing = Mixing.of(recipe.mixture)

    def mixed(work: Path) -> Corpus:
        found = mixing.mix(work, executor, limit=recipe.quarantine, progress=progress)
        return looked_at(found.corpus, rules)

    about = {"location": MIXTURE, "fingerprint": mixing.fingerprint, "shape": shape}
    return make_corpus(store, about, mixed, *settings)


@dataclass
class Chain:
    """Documents on their way through steps, each of which leaves files, and what all removed."""

    corpus: Corpus
    work: Path
    run: Callable[..., Report]
    tally: Tally = field(default_factory=Tally)
    names: list[str] = field(default_factory=list)

    def through(self, stage: str, step: Step, names: Sequence[str]) -> None:
        """Go through one more step; `names` are those by which it counts what it removes."""
        report = self.run(self.corpus, step, Parquet(), self.work / stage, stage=stage)
        self.tally.add(report.tally)
        self.names += names
        self.corpus = corpus_of_files(report.files, f"{self.corpus.fingerprint}/{stage}")


def _build(
    corpus: Artifact,
    signals: Artifact,
    rules: tuple[Rule, ...],
    recipe: CurateRecipe,
    progress: Progress,
    executor: Any,
    draft: Draft,
) -> None:
    run = partial(pipeline.run, executor=executor, progress=progress)
    chain = Chain(corpus_of(corpus, "documents"), draft.work, run)
    step = Filter(rules, Published(tuple(shard_paths(signals, "signals"))))
    chain.through("filter", step, [rule.name for rule in rules])
    if recipe.mask is not None:
        chain.through("mask", Mask(most=recipe.mask), [MASKED])
    if recipe.evaluations:
        sets = {name: read(path) for name, path in recipe.evaluations.items()}
        chain.through("decontaminate", Decontaminate(index_evaluations(sets)), list(sets))
    copies = _copies(chain, recipe, progress, executor)
    chain.through("duplicates", dedup.Drop(copies), [found.name for found in copies])
    if recipe.select is not None:
        targets = {name: read(path) for name, path in recipe.targets.items()}
        choice = choose(
            chain.corpus,
            targets,
            recipe.select,
            draft.work / "selection",
            executor,
            progress=progress,
        )
        chain.through("select", choice.step(), [SELECTION])
    _hold_out(chain, recipe, draft)
    draft.metrics["documents"] = corpus.manifest.metrics["documents"]
    rows = funnel(chain.tally, chain.names, draft.metrics["documents"])
    draft.path("funnel.json").write_bytes(orjson.dumps(rows))


def _copies(
    chain: Chain, recipe: CurateRecipe, progress: Progress, executor: Any
) -> tuple[dedup.Duplicates, ...]:
    """Exact copies, then near ones, unless the recipe leaves those in."""
    methods: list[dedup.Method] = [dedup.Exact(normalised=True)]
    if recipe.similarity is not None:
        methods.append(dedup.Near(dedup.near(recipe.similarity, recipe.shingle)))
    return tuple(
        dedup.find(
            chain.corpus,
            method,
            chain.work / f"copies-{number}",
            executor=executor,
            progress=progress,
        )
        for number, method in enumerate(methods)
    )


def _hold_out(chain: Chain, recipe: CurateRecipe, draft: Draft) -> None:
    """Both sides of the split as shards of the artifact."""
    apart = split.choose(chain.corpus.batches(), recipe.heldout, recipe.seed)
    for name in ("train", "heldout"):
        step = split.Side(apart, name == "heldout")
        side = chain.run(chain.corpus, step, Parquet(), chain.work / name, stage=name)
        keep(draft, name, side.files)
        draft.metrics[name] = side.tally.counts["documents"]
        draft.license += counted(side.tally, "license")
        draft.creator += counted(side.tally, "creator")
    draft.metrics["held_out_by"] = "source" if apart.by_source else "document"
