"""What a recipe trains on: tokens in the store, made if need be, as items."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from openhearth.data import TokenShards, tokenize
from openhearth.data.tokenizer import FILES
from openhearth.data.tokens import TokenCorpus, tokenize_corpus, tokenize_file
from openhearth.errors import UsageError
from openhearth.progress import Progress
from openhearth.store import Artifact, Store
from openhearth.training.items import Examples, Items, PackedRows
from openhearth.training.objectives import Distill, Sft
from openhearth.training.recipe import TrainRecipe
from openhearth.training.teacher import ask


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
    if is_file(recipe.data):
        return _lines(store, recipe, tokenizer, progress)
    found = store.get(recipe.data)
    if recipe.objective.name in ("preference", "contrast"):
        raise UsageError(
            f"{recipe.data} has no pairs, which `{recipe.objective.name}` needs: give a JSONL file."
        )
    is_stream = "index.json" in found.manifest.files or "funnel.json" not in found.manifest.files
    if recipe.objective.name == "next_token" or (is_stream and recipe.objective.name == "distill"):
        return _stream(store, found, recipe, tokenizer, progress)
    tokens = tokenize(store, found, tokenizer, max_tokens=recipe.max_tokens, progress=progress)
    return _examples(tokens, recipe)


def is_file(data: str) -> bool:
    """Whether this is a fine-tuning file and not the name of an artifact."""
    return Path(data).suffix == ".jsonl"


def _examples(tokens: Artifact, recipe: TrainRecipe) -> Material:
    train, heldout = (
        Examples(TokenShards.open(tokens, split), recipe.objective.together)
        for split in ("train", "heldout")
    )
    return Material(tokens, train, heldout if len(heldout) else None)


FORMATS_OF = {
    "next_token": ("text",),
    "sft": ("messages", "prompt", "text"),
    "distill": ("messages", "prompt", "text"),
    "preference": ("preference", "chosen"),
    "contrast": ("pairs",),
}
"""The formats that each objective learns from."""


def _lines(store: Store, recipe: TrainRecipe, tokenizer: Artifact, progress: Progress) -> Material:
    """A fine-tuning file."""
    paths = files_of(recipe)
    tokens = tokenize_file(
        store,
        paths["train"],
        tokenizer,
        heldout=paths.get("heldout"),
        max_tokens=recipe.max_tokens,
        inputs=inputs_of(recipe),
        progress=progress,
    )
    check_forms(recipe, tokens.manifest.metrics)
    return _examples(tokens, recipe)


def files_of(recipe: TrainRecipe) -> dict[str, Path]:
    """The fine-tuning files that a recipe names, by `train` and `heldout`."""
    named = {"train": recipe.data, "heldout": recipe.heldout}
    return {split: Path(name) for split, name in named.items() if name}


def inputs_of(recipe: TrainRecipe) -> bool | str:
    """Whether prompts count."""
    objective = recipe.objective
    return objective.train_on_inputs if isinstance(objective, Sft) else "auto"


def check_forms(recipe: TrainRecipe, metrics: Mapping[str, Mapping[str, Any]]) -> None:
    """Raises:
    UsageError: the objective does not learn from what `measure_file` has found in the files.
    """
    name, objective = Path(recipe.data).name, recipe.objective
    for said in metrics.values():
        if said["format"] not in FORMATS_OF[objective.name]:
            raise UsageError(
                f"{name} is of the format `{said['format']}`, but `{objective.name}` learns "
                f"from {' or '.join(FORMATS_OF[objective.name])}: name another objective or file."
            )
        if said["sequences"] != objective.together:
            raise UsageError(
                f"The lines of {name} hold {said['sequences']} texts, but the objective "
                f"takes {objective.together}: set its `sequences`."
            )


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


def inform(
    found: Material,
    recipe: TrainRecipe,
    speaker: Artifact | None,
    dtype: str,
    progress: Progress,
) -> Material:
    """The same with what `speaker`, if there is one, says of its tokens."""
    if speaker is None:
        return found
    objective = recipe.objective
    likeliest = objective.likeliest if isinstance(objective, Distill) else None

    def said(items: Items, split: str, most: int) -> Items:
        return ask(
            speaker,
            found.tokens,
            items,
            split=split,
            most=most,
            likeliest=likeliest,
            dtype=dtype,
            progress=progress,
        )

    heldout = found.heldout
    if heldout is not None:
        heldout = said(heldout, "heldout", recipe.evaluation.items)
    return Material(found.tokens, said(found.train, "train", len(found.train)), heldout)
