"""A hashed linear classifier: logistic regression over words and pairs of words.

The cheap baseline that is hard to beat for filters (Joulin et al. 2017, Bag of Tricks for Efficient
Text Classification), with its features hashed into buckets (Weinberger et al. 2009, Feature Hashing
for Large Scale Multitask Learning). It learns by AdaGrad (Duchi et al. 2011), one document at a
time, and keeps the mean of all its weights on the way (Polyak and Juditsky 1992).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field

from openhearth.data.scorers import files
from openhearth.data.scorers.features import Bags, bags
from openhearth.data.scorers.samples import measure, sample, split
from openhearth.errors import UsageError

RATE = 1.0
DAMPING = 1e-2  # what the sums of squares begin with: a feature's first step stays small
BLOCK = 1024  # documents whose features are made at a time


class Header(BaseModel):
    """What a file says of its model."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    kind: Literal["linear"] = "linear"
    version: Literal[1] = 1
    buckets: Annotated[int, Field(ge=1, le=1 << 28)]
    fold: bool  # whether texts are lower-cased, and digits 0
    metrics: dict[str, float]  # on documents held out


@dataclass(frozen=True)
class Linear:
    """A trained classifier. `weights` float32 [buckets + 1], the last of them the intercept."""

    header: Header
    weights: np.ndarray

    def score(self, texts: pa.Array) -> np.ndarray:
        """float64 [n]: the probability that a text is like the positive ones; NaN if it has no
        words.

        It is calibrated to the shares of the two classes that it learned from.
        """
        found = bags(texts, self.header.buckets, self.header.fold)
        terms = found.values * self.weights[found.buckets].astype(np.float64)
        sums = np.bincount(found.owners, terms, len(texts)) + float(self.weights[-1])
        return np.where(np.diff(found.offsets) > 0, _sigmoid(sums), np.nan)

    def save(self, path: Path) -> None:
        """Write it."""
        files.write(path, self.header, {"weights": self.weights})


def load(path: Path) -> Linear:
    """Read a classifier.

    Raises:
        NotFound: there is no such file.
        UsageError: it is none.
    """
    header = files.read_header(path, Header)
    weights = files.read_arrays(path, _shapes(header.buckets))["weights"]
    if not np.all(np.abs(weights) < 1e30):
        raise UsageError(f"{path} has weights that are no numbers: train it again.")
    return Linear(header, weights)


def _shapes(buckets: int) -> files.Shapes:
    return {"weights": ("<f4", buckets + 1)}


def train_linear(
    positive: Iterable[pa.Array],
    negative: Iterable[pa.Array],
    *,
    buckets: int = 1 << 18,
    epochs: int = 3,
    seed: int = 0,
) -> Linear:
    """Learn to tell two classes of texts apart, from at most 75,000 of each.

    One in ten is held out, and what the model is worth on those is in its `header.metrics`. The
    same texts in the same order give the same model. It takes about 8 bytes of memory for each
    distinct word and pair of a text.

    Raises:
        UsageError: a class has less than two texts, or there are too many buckets.
    """
    files.check_size(_shapes(buckets))
    learn, apart = [], []
    for what, texts in (("positive", positive), ("negative", negative)):
        kept, held_out = split(sample(texts, what, seed))
        learn.append(kept)
        apart.append(pa.array(held_out, pa.string()))
    labels = np.repeat([1.0, 0.0], [len(learn[0]), len(learn[1])])
    examples = _stack([*learn[0], *learn[1]], buckets)
    del learn
    weights = _fit(examples, labels, buckets, epochs, seed).astype(np.float32)
    model = Linear(Header(buckets=buckets, fold=False, metrics={}), weights)
    metrics = measure(*map(model.score, apart)) | {"documents": float(len(labels))}
    return Linear(Header(buckets=buckets, fold=False, metrics=metrics), weights)


def _stack(texts: list[str], buckets: int) -> Bags:
    """The features of many texts, made some texts at a time."""
    blocks = [
        bags(pa.array(texts[i : i + BLOCK], pa.string()), buckets, fold=False)
        for i in range(0, len(texts), BLOCK)
    ]
    sizes = np.concatenate([np.diff(block.offsets) for block in blocks])
    return Bags(
        np.concatenate([[0], np.cumsum(sizes)]),
        np.concatenate([block.buckets for block in blocks]),
        np.concatenate([block.values for block in blocks]),
    )


def _fit(examples: Bags, labels: np.ndarray, buckets: int, epochs: int, seed: int) -> np.ndarray:
    """float64 [buckets + 1]: the mean weights."""
    rng = np.random.default_rng(seed)
    weights, drift = np.zeros(buckets + 1), np.zeros(buckets + 1)
    squares = np.full(buckets + 1, DAMPING)
    steps = 0
    for _ in range(epochs):
        for i in rng.permutation(len(labels)):
            row = slice(examples.offsets[i], examples.offsets[i + 1])
            where = np.append(examples.buckets[row], buckets)  # the intercept is always there
            values = np.append(examples.values[row], np.float32(1))
            error = _sigmoid(values @ weights[where]) - labels[i]
            gradient = error * values
            squares[where] += gradient**2
            step = RATE * gradient / np.sqrt(squares[where])
            weights[where] -= step
            drift[where] += steps * step  # a step taken late is in few of the means' terms
            steps += 1
    return weights + drift / max(steps, 1)


def _sigmoid(x: np.ndarray | float) -> np.ndarray:
    return 1 / (1 + np.exp(-np.clip(x, -500, 500)))
