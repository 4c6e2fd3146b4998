"""A choice by scores: so many for each target, no document twice, no group too often."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from openhearth.data.corpus import account
from openhearth.data.funnel import count_removed
from openhearth.data.pipeline import place
from openhearth.data.select.recipe import SelectRecipe
from openhearth.data.select.sample import PLACE, Best, gumbel
from openhearth.data.select.scores import Scores, read_scores
from openhearth.data.tally import Tally

SELECTION = "selection"  # in the funnel


@dataclass(frozen=True)
class Keep:
    """A step that keeps the rows that are named, by part and block."""

    rows: Mapping[tuple[int, int], np.ndarray]

    def __call__(self, batch: pa.RecordBatch, tally: Tally) -> pa.RecordBatch:
        tally.count("seen", batch.num_rows)
        rows = self.rows.get(place(batch), np.empty(0, np.int32))
        others = np.delete(np.arange(batch.num_rows), rows)
        count_removed(tally, SELECTION, batch.take(pa.array(others)))
        return account(batch.take(pa.array(rows)), tally)


@dataclass(frozen=True)
class Choice:
    """The places of what was chosen, `PLACE` [n or fewer], in the corpus's order; how many those
    are by target; and how many documents there were, and had a score and the right length.
    """

    places: np.ndarray
    chosen: dict[str, int]
    documents: int
    eligible: int

    def step(self) -> Keep:
        """The step that keeps them."""
        blocks, begins = np.unique(self.places[["part", "block"]], return_index=True)
        rows = np.split(self.places["row"], begins[1:])
        return Keep({(int(p), int(b)): r for (p, b), r in zip(blocks, rows, strict=True)})


def sample(files: Sequence[Path], wanted: Mapping[str, int], recipe: SelectRecipe) -> Choice:
    """Choose by scores in files, so many for each target; what one has taken, others cannot."""
    taken = np.empty(0, PLACE)
    chosen: dict[str, int] = {}
    documents = eligible = 0
    for target, count in wanted.items():
        documents = eligible = 0
        # What was taken before comes first, so that it is not taken again and fills its groups.
        best = Best(len(taken) + count, recipe.most_of_a_group)
        for scores in read_scores(files, target):
            keys = _keys(scores, target, recipe)
            documents += len(keys)
            eligible += int(np.count_nonzero(~np.isnan(keys)))
            keys[scores.rows_at(taken)] = np.inf
            open_ = ~np.isnan(keys)
            best.add(keys[open_], scores.places()[open_], scores.group[open_])
        places = np.sort(best.places())
        chosen[target] = len(places) - len(taken)
        taken = places
    return Choice(taken, chosen, documents, eligible)


def _keys(scores: Scores, target: str, recipe: SelectRecipe) -> np.ndarray:
    """float64 [n]: the highest are chosen; NaN where a document may not be."""
    keys = scores.values
    if recipe.method != "top" and recipe.temperature > 0:
        keys = keys / recipe.temperature + gumbel(scores.name, recipe.seed, target)
    most = np.inf if recipe.max_words is None else recipe.max_words
    fits = (scores.words >= recipe.min_words) & (scores.words <= most)
    return np.where(fits, keys, np.nan)
