"""What a recipe trains on: tokens in the store, made if need be, as items."""

from __future__ import annotations

from dataclasses import dataclass

from openhearth.data import TokenShards, tokenize
from openhearth.data.tokenizer import FILES
from openhearth.data.tokens import TokenCorpus, tokenize_corpus
from openhearth.errors import UsageError
from openhearth.progress import Progress
from openhearth.store import Artifact, Store
from openhearth.training.items import Examples, Items, PackedRows
from openhearth.training.recipe import TrainRecipe


@dataclass(frozen=True)
class Material:
    """Tokens, and what is to be learnt and measured of them."""

    tokens: Artifact
    train: Items
    heldout: Items | None


def material(
    store: Store, recipe: TrainRecipe, tokenizer: Artifact, progress: Progress
) -> Material:
    """The recipe's data in the tokens of `tokenizer`.

    Raises:
        NotFound: there is no such data.
        UsageError: it is not what the objective needs, or in other tokens.
    """
    found = store.get(recipe.data)
    if recipe.objective.name == "next_token":
        return _stream(store, found, recipe, tokenizer, progress)
    tokens = tokenize(store, found, tokenizer, max_tokens=recipe.max_tokens, progress=progress)
    return _examples(tokens, recipe)


def _examples(tokens: Artifact, recipe: TrainRecipe) -> Material:
    train, heldout = (
        Examples(TokenShards.open(tokens, split), recipe.objective.together)
        for split in ("train", "heldout")
    )
    return Material(tokens, train, heldout)


def _stream(
    store: Store, found: Artifact, recipe: TrainRecipe, tokenizer: Artifact, progress: Progress
) -> Material:
    """Plain text as rows of `max_tokens`, in which documents follow each other."""
    if "index.json" not in found.manifest.files:
        found = tokenize_corpus(store, found, tokenizer, progress=progress)
    splits = {name.partition("/")[0] for name in found.manifest.files if "/" in name}
    names = [name for name in ("train", "documents") if name in splits]
    train = TokenCorpus.open(found, names[0] if names else None)
    _check_tokens(train, tokenizer, store)
    held = TokenCorpus.open(found, "heldout") if "heldout" in splits else None
    return Material(
        found,
        PackedRows(train.rows(recipe.max_tokens)),
        None if held is None else PackedRows(held.rows(recipe.max_tokens)),
    )


def _check_tokens(corpus: TokenCorpus, tokenizer: Artifact, store: Store) -> None:
    made_by = corpus.index.tokenizer
    if made_by is None or made_by == tokenizer.digest:
        return
    theirs = store.get(made_by).manifest.files.get(FILES[0])
    if theirs != tokenizer.manifest.files[FILES[0]]:
        raise UsageError(
            f"The tokens are of another tokenizer ({made_by[:12]}) than the model's "
            f"({tokenizer.digest[:12]}): tokenise the text again."
        )
