"""From a location to a dataset: read, compute signals, apply rules, remove duplicates, hold out.

Three artifacts come of it, each the input of the next: the corpus (what was there), the signals
(an overlay, keyed by document id) and the dataset (what is kept, and the funnel that says what
each step removed). Reading and signals are done in parts, so a run that was killed goes on.
"""

from __future__ import annotations

from typing import Annotated

import orjson
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from openhearth.data.corpus import named, store_corpus, store_signals
from openhearth.data.funnel import apply_rules, hold_out
from openhearth.data.rules import load_rules
from openhearth.data.sources import read
from openhearth.errors import UsageError
from openhearth.progress import Progress, silent
from openhearth.store import Artifact, Draft, Store


class CurateRecipe(BaseModel):
    """What to curate, and how.

    `rules` are names of rule sets that ship, or TOML files; `off` switches single rules off.
    `similarity` null leaves near duplicates in; `shingle` is the words of one n-gram. About
    `heldout` of the sources, always whole ones, are kept apart for measuring.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: str
    rules: tuple[str, ...] = ("docstrings",)
    off: tuple[str, ...] = ()
    similarity: float | None = 0.7
    shingle: Annotated[int, Field(ge=1, le=50)] = 5
    heldout: Annotated[float, Field(gt=0, lt=1)] = 0.2
    seed: int = 0

    @classmethod
    def parse(cls, raw: object) -> CurateRecipe:
        """A recipe from plain data.

        Raises:
            UsageError: a field is missing, unknown or out of range.
        """
        try:
            return cls.model_validate(raw)
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(map(str, first["loc"])) or "its top"
            raise UsageError(f"The recipe is wrong at {field}: {first['msg']}.") from error


def curate(store: Store, recipe: CurateRecipe, progress: Progress = silent) -> Artifact:
    """Carry out a recipe; the dataset has `train.parquet`, `heldout.parquet` and `funnel.json`.

    Raises:
        NotFound: there is nothing at the source, or no such rule set.
        UsageError: a rule is wrong, or nothing is left to train on or to measure with.
    """
    rules = [rule for name in recipe.rules for rule in load_rules(name)]
    if unknown := set(recipe.off) - {rule.name for rule in rules}:
        raise UsageError(f"There is no rule {', '.join(sorted(unknown))} to switch off.")
    rules = [rule for rule in rules if rule.enabled and rule.name not in recipe.off]
    corpus = store_corpus(store, read(recipe.source), progress)
    signals = store_signals(store, corpus, progress)
    settings = recipe.model_dump(mode="json", exclude={"source", "rules", "off"})
    settings["rules"] = [rule.model_dump(mode="json") for rule in rules]

    def build(draft: Draft) -> None:
        documents = pq.read_table(corpus.path("documents.parquet"))
        overlay = pq.read_table(signals.path("signals.parquet"))
        progress("filter", 0, None, "rules and duplicates")
        kept, funnel = apply_rules(documents, overlay, rules, recipe.similarity, recipe.shingle)
        train, heldout = hold_out(kept, recipe.heldout, recipe.seed)
        pq.write_table(train, draft.path("train.parquet"))
        pq.write_table(heldout, draft.path("heldout.parquet"))
        draft.path("funnel.json").write_bytes(orjson.dumps([step.to_dict() for step in funnel]))
        draft.metrics |= {
            "documents": documents.num_rows,
            "train": train.num_rows,
            "heldout": heldout.num_rows,
            "heldout_sources": len(heldout.column("source").unique()),
        }
        draft.license += named(kept, "license")
        draft.creator += named(kept, "creator")

    inputs = {"corpus": corpus.digest, "signals": signals.digest}
    return store.make("dataset", build, inputs=inputs, recipe=settings)
