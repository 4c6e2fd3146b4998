"""A hashed n-gram language model: how well a text follows from others, as its perplexity.

Words are the signals' raw words, lower-cased and with every digit 0. Their probabilities are those
of `kneser_ney`, over n-grams of hashes, so that a model has the same size whatever it has read.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field

from openhearth.data.hashes import hash_pairs, hash_words
from openhearth.data.scorers import files
from openhearth.data.scorers.features import words
from openhearth.data.scorers.kneser_ney import LEAST, Grams, Order, lengths
from openhearth.errors import UsageError

BEGIN, END = "<s>\n", "</s>\n"  # of a line; with a newline, so that no word is like them
BEGIN_HASH = hash_words([BEGIN])[0]
HEAD, MIDDLE = 30, 60  # the percentiles that end them
MAX_ORDER = 6

Discount = Annotated[float, Field(ge=LEAST, le=1)]
Perplexity = Annotated[float, Field(ge=1)]


class Header(BaseModel):
    """What a file says of its model."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    kind: Literal["ngram"] = "ngram"
    version: Literal[1] = 1
    buckets: Annotated[int, Field(ge=1, le=1 << 28)]
    fold: bool  # whether texts are lower-cased, and digits 0
    discounts: Annotated[list[Discount], Field(min_length=1, max_length=MAX_ORDER)]  # by order
    cutoffs: tuple[Perplexity, Perplexity] | None = None  # perplexities that end head and middle
    metrics: dict[str, float]


@dataclass(frozen=True)
class NgramModel:
    """A trained language model; its `orders` begin with that of single words."""

    header: Header
    orders: tuple[Order, ...]

    @property
    def cutoffs(self) -> tuple[float, float] | None:
        """The perplexities that end head and middle."""
        return self.header.cutoffs

    def score(self, texts: pa.Array) -> np.ndarray:
        """float64 [n]: each text's perplexity for a word, NaN if it has no words.

        As CCNet has it, every line is a sentence whose end is a word as well, so it is
        10^(-sum of log10 p / sum of (words + 1) over lines); lines without words are left out.
        """
        found, owners = self.probabilities(texts)
        logs = np.bincount(owners, np.log10(found), len(texts))
        with np.errstate(invalid="ignore"):  # 0 / 0
            return 10.0 ** -(logs / np.bincount(owners, minlength=len(texts)))

    def probabilities(self, texts: pa.Array) -> tuple[np.ndarray, np.ndarray]:
        """Those of each word and of each end of a line, after what is before it on the line.

        float64 [m], and the text that each is of, int64 [m].
        """
        rows, owners = _grams(texts, len(self.orders), self.header.fold)
        found = np.full(len(owners), 1 / (float(self.orders[0].followers[0]) + 1))
        for order, each, discount in zip(self.orders, rows, self.header.discounts, strict=True):
            found = order.interpolate(each, discount, found)
        return found, owners

    def with_cutoffs(self, texts: Iterable[pa.Array]) -> NgramModel:
        """The model with the 30th and 60th percentile of the perplexities of texts, such as a
        sample of what is to be judged.

        Raises:
            UsageError: none of them has words.
        """
        scores = np.concatenate([np.empty(0), *map(self.score, texts)])
        scores = scores[~np.isnan(scores)]
        if not len(scores):
            raise UsageError(
                "There are no documents to find the cut-offs of head and middle with: give a "
                "sample of those that are to be judged as the negative ones."
            )
        head, middle = np.percentile(scores, (HEAD, MIDDLE))
        cutoffs = (float(head), float(middle))
        return replace(self, header=self.header.model_copy(update={"cutoffs": cutoffs}))

    def save(self, path: Path) -> None:
        """Write it."""
        arrays = {
            f"{name}{i}": table
            for i, order in enumerate(self.orders, 1)
            for name, table in vars(order).items()
        }
        files.write(path, self.header, arrays)


def train_ngram(texts: Iterable[pa.Array], *, order: int = 3, buckets: int = 1 << 20) -> NgramModel:
    """Count the n-grams of texts, which are read once; memory does not grow with them.

    Of each order it takes 20 bytes a bucket. `header.metrics` says what share of the slots of the
    highest order is taken: a model whose table is full learns nothing more there.

    Raises:
        UsageError: the texts have no words, or the tables would be too large.
    """
    files.check_size(_shapes(order, buckets))
    orders = [Order.empty(i + 1, buckets) for i in range(order)]
    documents = counted = 0
    for array in texts:
        found, owners = _grams(array, order, fold=True)
        documents += len(array)
        counted += len(owners)
        new = np.ones(len(owners), bool)
        for tables, each in zip(reversed(orders), reversed(found), strict=True):
            new[new] = tables.add(each.where(new))
    if not counted:
        raise UsageError("There are no documents with words to learn from: give some.")
    metrics = {
        "documents": documents,
        "words": counted,
        "vocabulary": int(orders[0].followers[0]),
        "slots_taken": np.count_nonzero(orders[-1].tags) / len(orders[-1].tags),
    }
    header = Header(
        buckets=buckets,
        fold=True,
        discounts=[each.discount() for each in orders],
        metrics={name: float(value) for name, value in metrics.items()},
    )
    return NgramModel(header, tuple(orders))


def load(path: Path) -> NgramModel:
    """Read a language model.

    Raises:
        NotFound: there is no such file.
        UsageError: it is none.
    """
    header = files.read_header(path, Header)
    order = len(header.discounts)
    arrays = files.read_arrays(path, _shapes(order, header.buckets))
    names = [field.name for field in fields(Order)]
    orders = (Order(*(arrays[f"{name}{i}"] for name in names)) for i in range(1, order + 1))
    return NgramModel(header, tuple(orders))


def _shapes(order: int, buckets: int) -> files.Shapes:
    return {
        f"{field.name}{i}": ("<u4", length)
        for i in range(1, order + 1)
        for field, length in zip(fields(Order), lengths(i, buckets), strict=True)
    }


def _grams(texts: pa.Array, order: int, fold: bool) -> tuple[list[Grams], np.ndarray]:
    """The n-grams, from single words to `order`, that end with each word and with each end of a
    line, and the text that each is of, int64 [m].
    """
    flat: list[str] = []
    sizes = []
    for text in texts.to_pylist():
        before = len(flat)
        for line in (text or "").split("\n"):
            if found := words(line, fold):
                flat += [*[BEGIN] * (order - 1), *found, END]
        sizes.append(len(flat) - before)
    hashes = hash_words(flat)
    rows = [Grams(hashes, np.zeros_like(hashes))]
    for _ in range(order - 1):
        contexts = np.roll(rows[-1].grams, 1)
        rows.append(Grams(hash_pairs(contexts, hashes), contexts))
    counted = hashes != BEGIN_HASH
    owners = np.repeat(np.arange(len(sizes)), np.array(sizes, np.int64))
    return [row.where(counted) for row in rows], owners[counted]
