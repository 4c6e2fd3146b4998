"""The slices of a study as tokens in the store, made if need be, all by one tokenizer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from openhearth.data import CurateRecipe, Tokenizer, curate
from openhearth.data.tokenizer import find_tokenizer
from openhearth.data.tokens import TokenCorpus, tokenize_corpus, train_bpe
from openhearth.errors import UsageError
from openhearth.progress import Progress
from openhearth.store import Artifact, Store
from openhearth.training.study.grid import Run
from openhearth.training.study.recipe import StudyRecipe

TRAIN, HELDOUT = "train", "heldout"


@dataclass(frozen=True)
class Slices:
    """Token shards of each slice, in both splits, and the tokenizer that made them."""

    tokenizer: Artifact
    tokens: Mapping[str, Artifact]

    @property
    def vocabulary(self) -> int:
        """How many ids a model must know."""
        return Tokenizer.load(self.tokenizer).largest_id + 1

    @property
    def inputs(self) -> dict[str, str]:
        """The digests of everything, by role."""
        return {"tokenizer": self.tokenizer.digest} | {
            f"slice {name}": tokens.digest for name, tokens in self.tokens.items()
        }

    def size(self, name: str) -> int:
        """The tokens of a slice's training split."""
        return TokenCorpus.open(self.tokens[name], TRAIN).size

    def bytes_per_token(self, name: str) -> float:
        """How much text a token of the held-out split is."""
        said = self.tokens[name].manifest.metrics[HELDOUT]
        return said["bytes"] / said["tokens"]

    def check(self, runs: list[Run], most_epochs: float) -> None:
        """Raises:
        UsageError: a run would see its slice more often than `most_epochs` times.
        """
        for run in runs:
            has = self.size(run.slice)
            if run.tokens > most_epochs * has:
                raise UsageError(
                    f"{run.label} needs {run.tokens} tokens, but {run.slice} has {has}, and more "
                    f"than {most_epochs:g} passes would measure repetition: give it more text, "
                    "lower the FLOPs, or raise most_epochs."
                )


def prepare(store: Store, recipe: StudyRecipe, progress: Progress) -> Slices:
    """The slices of a recipe.

    Raises:
        NotFound: the store lacks one, or the tokenizer.
        UsageError: one has no held-out split, or is no text.
    """
    texts = {name: _text(store, said, progress) for name, said in recipe.slices.items()}
    for name, text in texts.items():
        if not any(file.startswith(f"{HELDOUT}/") for file in text.manifest.files):
            raise UsageError(
                f"The slice {name} has no held-out split to measure on: curate it, or give a "
                "curated dataset in place of a corpus."
            )
    if isinstance(recipe.tokenizer, int):
        tokenizer = train_bpe(store, next(iter(texts.values())), recipe.tokenizer)
    else:
        tokenizer = find_tokenizer(store, recipe.tokenizer)
    tokens = {
        name: tokenize_corpus(store, text, tokenizer, progress=progress)
        for name, text in texts.items()
    }
    return Slices(tokenizer, tokens)


def _text(store: Store, said: str | CurateRecipe, progress: Progress) -> Artifact:
    return store.get(said) if isinstance(said, str) else curate(store, said, progress)
