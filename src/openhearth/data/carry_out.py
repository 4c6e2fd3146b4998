"""A recipe of data from its beginning to its end: the dataset, its name, and its tokens."""

from __future__ import annotations

from typing import Any, NamedTuple

from openhearth.data.curation import curate
from openhearth.data.recipe import CurateRecipe
from openhearth.data.tokenizer import find_tokenizer
from openhearth.data.tokens import tokenize_corpus
from openhearth.progress import Progress, silent
from openhearth.store import Artifact, Store
from openhearth.store.refs import file_of


class Made(NamedTuple):
    """A dataset, and its tokens if the recipe asks for them."""

    dataset: Artifact
    tokens: Artifact | None


def carry_out(
    store: Store, recipe: CurateRecipe, progress: Progress = silent, executor: Any = None
) -> Made:
    """Carry out a recipe, as `curate` does, and tag what it makes: NAME, and NAME-tokens.

    Raises:
        NotFound: there is nothing at the source, or no such rule set or tokenizer.
        UsageError: the recipe's name cannot name anything, a rule is wrong, or nothing is left.
        HearthError: the source has more broken records than the recipe allows.
    """
    name, wanted = recipe.name, recipe.tokens
    if name is not None:
        file_of(name)  # before any work is done
    tokenizer = find_tokenizer(store, wanted.tokenizer) if wanted is not None else None
    dataset = curate(store, recipe, progress, executor)
    if name is not None:
        store.tag(name, dataset.digest)
    if wanted is None or tokenizer is None:
        return Made(dataset, None)
    tokens = tokenize_corpus(
        store,
        dataset,
        tokenizer,
        packed_length=wanted.packed,
        name=f"{name}-tokens" if name else None,
        executor=executor,
        progress=progress,
    )
    return Made(dataset, tokens)
