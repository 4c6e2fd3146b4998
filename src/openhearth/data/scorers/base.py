"""What a scorer is, how one is found by its path, and how one is trained."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
import pyarrow as pa
from pydantic import BaseModel

from openhearth.data.scorers import files
from openhearth.errors import NotFound, UsageError

FASTTEXT_MAGIC = (793712314).to_bytes(4, "little")
LABEL = "#__label__"  # between the path of a fastText model and the name of a label
Kind = Literal["linear", "fasttext", "ngram"]
Texts = Iterable[pa.Array]


class Scorer(Protocol):
    """Gives each text a number."""

    def score(self, texts: pa.Array) -> np.ndarray:
        """float64 [n]: of each text; NaN where it has none."""
        ...


class _Header(BaseModel):
    kind: Literal["linear", "ngram"]


def load_scorer(path: Path) -> Scorer:
    """The scorer in a file: one that `train` wrote, or a fastText classifier.

    What a fastText model says is the probability of the label that is named after its path, as in
    `model.bin#__label__hq`; without a name it is what `FastText` says.

    Raises:
        NotFound: there is no such file.
        UsageError: it is no scorer, or has no such label.
        MissingExtra: it is a fastText model, and fastText is not installed.
    """
    file, label = split_label(path)
    try:
        with file.open("rb") as opened:
            is_fasttext = opened.read(4) == FASTTEXT_MAGIC
    except FileNotFoundError as error:
        raise NotFound(f"There is no model {file}: check its name.") from error
    except OSError as error:
        raise UsageError(f"The model {file} cannot be read: {error.strerror}.") from error
    if is_fasttext:
        from openhearth.data.scorers.fasttext import FastText

        return FastText(file, label)
    kind = files.read_header(file, _Header).kind
    return importlib.import_module(f"openhearth.data.scorers.{kind}").load(file)


def split_label(path: Path) -> tuple[Path, str | None]:
    """A scorer's file, and the label that is named after it."""
    name, hash_sign, label = path.name.partition(LABEL)
    return (path.with_name(name), LABEL[1:] + label) if hash_sign and name else (path, None)


def train(
    kind: Kind,
    positive: Texts,
    negative: Texts | None,
    out: Path,
    *,
    buckets: int | None = None,
    order: int = 3,
    seed: int = 0,
) -> dict[str, float]:
    """Train a scorer from one's own texts and write it; what it is worth, by measure.

    `linear` and `fasttext` learn to tell the two classes apart. `ngram` learns the language of the
    positive ones, `order` words at a time; the negative ones, if given, are a sample of what it
    will judge, and set the perplexities that end head and middle (`ccnet_bucket`). `buckets` is how
    many features a model can hold (none for `fasttext`).

    Raises:
        UsageError: there are too few texts, or an option is out of range.
        MissingExtra: fastText is not installed.
    """
    if out.is_dir():
        raise UsageError(f"{out} is a folder: name the file that the model is to be.")
    if negative is None and kind != "ngram":
        raise UsageError(f"A {kind} scorer needs negative texts: give some that are not wanted.")
    if buckets is not None and buckets < 1:
        raise UsageError(f"A model cannot have {buckets} buckets: take at least one.")
    if kind == "ngram":
        return _train_ngram(positive, negative, out, order, buckets or 1 << 20)
    assert negative is not None
    if kind == "linear":
        from openhearth.data.scorers.linear import train_linear

        model = train_linear(positive, negative, buckets=buckets or 1 << 18, seed=seed)
        model.save(out)
        return model.header.metrics
    if kind == "fasttext":
        from openhearth.data.scorers.fasttext import train_fasttext

        return train_fasttext(positive, negative, out, seed=seed)
    raise UsageError(f"There is no kind of scorer {kind!r}: use linear, fasttext or ngram.")


def _train_ngram(
    positive: Texts, negative: Texts | None, out: Path, order: int, buckets: int
) -> dict[str, float]:
    from openhearth.data.scorers.ngram import MAX_ORDER, train_ngram

    if not 1 <= order <= MAX_ORDER:
        raise UsageError(f"The order of n-grams must be from 1 to {MAX_ORDER}, not {order}.")
    model = train_ngram(positive, order=order, buckets=buckets)
    if negative is not None:
        model = model.with_cutoffs(negative)
    model.save(out)
    head, middle = model.cutoffs or (float("nan"), float("nan"))
    return model.header.metrics | ({"head": head, "middle": middle} if model.cutoffs else {})
