"""What signals need besides the text: word lists, a map of domains, models by path.

A recipe names them by path; loading gives one object that every batch function takes.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from openhearth.data.scorers import Scorer, load_scorer, split_label
from openhearth.data.signals.compute import BUILT_IN, NO_WEIGHTS, Weights
from openhearth.data.signals.lists import Lists, read_words
from openhearth.data.signals.names import CLASSIFIERS, OWN_SCORE
from openhearth.errors import NotFound, UsageError

EPSILON = 1e-8
MODELLED = (*CLASSIFIERS, "ccnet_perplexity")  # what models give, besides one's own scores


class SignalRecipe(BaseModel):
    """Files that signals use. `language` is that of documents that name none.

    `domains` is a JSON object from a domain to the number of its categories (UT1). `scorers` are
    models by the signal that they give, such as `rps_doc_ml_wikiref_score`, `ccnet_perplexity` or
    `score_mine`. `importance` are counts of features (`.npz`, as `hearth data counts` writes them)
    by domain, `source` among them. `buckets` are the perplexities that end head and middle, if not
    those that the model of `ccnet_perplexity` has.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    language: str = "en"
    stopwords: str | None = None
    badwords: str | None = None
    domains: str | None = None
    scorers: dict[str, str] = {}
    importance: dict[str, str] = {}
    buckets: Annotated[list[float], Field(min_length=2, max_length=2)] | None = None

    def files(self) -> list[str]:
        """The paths that it names."""
        named = [self.stopwords, self.badwords, self.domains]
        models = [str(split_label(Path(path))[0]) for path in self.scorers.values()]
        return [p for p in (*named, *models, *self.importance.values()) if p]


@dataclass(frozen=True)
class Resources:
    """The files of a `SignalRecipe`, loaded."""

    language: str = "en"
    lists: dict[str, Lists] = field(default_factory=lambda: dict(BUILT_IN))
    domains: dict[str, Any] = field(default_factory=dict)
    scorers: dict[str, Scorer] = field(default_factory=dict)
    weights: Weights = NO_WEIGHTS
    lambdas: dict[str, tuple[float, float]] = field(
        default_factory=dict
    )  # of lengths: target, source
    buckets: tuple[float, float] | None = None

    @classmethod
    def load(cls, recipe: SignalRecipe) -> Resources:
        """Read the files.

        Raises:
            NotFound: one does not exist.
            UsageError: one is not what it should be.
        """
        weights, lambdas = _importance(recipe.importance)
        scorers = _scorers(recipe.scorers)
        buckets = recipe.buckets or getattr(scorers.get("ccnet_perplexity"), "cutoffs", None)
        return cls(
            recipe.language,
            _lists(recipe),
            _domains(recipe.domains),
            scorers,
            weights,
            lambdas,
            (buckets[0], buckets[1]) if buckets else None,
        )


def _lists(recipe: SignalRecipe) -> dict[str, Lists]:
    language = recipe.language
    known = BUILT_IN.get(language, Lists())
    stop, bad = known.stop_words, known.bad_words
    if recipe.stopwords:
        stop = read_words(Path(recipe.stopwords), language)
    if recipe.badwords:
        bad = read_words(Path(recipe.badwords), language)
    return {**BUILT_IN, language: Lists(stop, bad)}


def _scorers(paths: dict[str, str]) -> dict[str, Scorer]:
    for name in paths:
        if name not in MODELLED and (not name.startswith(OWN_SCORE) or name == OWN_SCORE):
            raise UsageError(
                f"No model gives {name!r}: name one of {', '.join(MODELLED)}, or {OWN_SCORE}NAME."
            )
    return {name: load_scorer(Path(path)) for name, path in paths.items()}


def _domains(path: str | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        found = json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise NotFound(f"There is no map of domains {path}: check its name.") from error
    except (OSError, ValueError) as error:
        raise UsageError(f"The map of domains {path} cannot be read: {error}.") from error
    if not isinstance(found, dict):
        raise UsageError(f"{path} must be a JSON object from domains to numbers of categories.")
    return found


def _importance(paths: dict[str, str]) -> tuple[Weights, dict[str, tuple[float, float]]]:
    """Log ratios of each feature's share in a domain and in `source` (DSIR, arXiv:2302.03169)."""
    if not paths:
        return NO_WEIGHTS, {}
    if "source" not in paths:
        raise UsageError(
            "importance needs the counts of the `source` that domains are compared with."
        )
    counts = {name: read_counts(Path(path)) for name, path in paths.items()}
    source, source_length = counts.pop("source")
    if any(len(found) != len(source) for found, _ in counts.values()):
        raise UsageError("The counts of importance have different numbers of buckets: count again.")
    ratios = [log_shares(found) - log_shares(source) for found, _ in counts.values()]
    lambdas = {name: (length, source_length) for name, (_, length) in counts.items()}
    return Weights(tuple(counts), np.stack(ratios, axis=1)), lambdas


def log_shares(counts: np.ndarray) -> np.ndarray:
    """float64 [buckets]: ln(share + 1e-8) of each."""
    return np.log(counts / counts.sum() + EPSILON)


def read_counts(path: Path) -> tuple[np.ndarray, float]:
    """Counts of features, float64 [buckets], and the mean number of raw words of a document.

    Raises:
        NotFound: there is no such file.
        UsageError: it holds no counts.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            counts, words = np.asarray(file["counts"], np.float64), float(file["words"])
    except FileNotFoundError as error:
        raise NotFound(f"There is no file of counts {path}: check its name.") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path} holds no counts of features ({error}): make it again.") from error
    if counts.ndim != 1 or not counts.sum() > 0:
        raise UsageError(f"{path} holds no counts of features: make it again.")
    return counts, words
