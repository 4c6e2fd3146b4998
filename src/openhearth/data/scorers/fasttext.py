"""fastText classifiers (Joulin et al. 2017): those of RedPajama-V2 by path, and one's own."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from openhearth.data.scorers.fasttext_file import check
from openhearth.data.scorers.samples import measure, sample, split
from openhearth.errors import MissingExtra, UsageError

PREFIX = "__label__"
COMMON = PREFIX + "cc"  # what RedPajama-V2 calls the texts of Common Crawl, the negative ones
POSITIVE = PREFIX + "hq"
# As RedPajama-V2 trains its classifiers. Each thread sets a tenth of the first weights: with fewer
# than ten, some stay unset.
SETTINGS = {"dim": 100, "lr": 0.1, "epoch": 5, "wordNgrams": 1, "thread": 10, "verbose": 0}


class FastText:
    """A fastText classifier in a file.

    It gives the probability of `label`. Without one, it does as RedPajama-V2 does: the probability
    p of the most likely label, or 1 - p where that is `__label__cc`.

    Raises:
        NotFound: there is no such file.
        UsageError: it is no such model, has no such label, or neither a label is named nor has it
            `__label__cc`.
        MissingExtra: fastText is not installed.
    """

    def __init__(self, path: Path, label: str | None = None) -> None:
        self.path, self.label = path, label
        labels = check(path)
        if (label or COMMON) not in labels:
            raise UsageError(
                f"{path} has no label {label or COMMON}: name one of its own after its path, such "
                f"as {path.name}#{labels[0]}."
            )
        self._model = _fasttext().load_model(str(path))
        self._labels = len(labels)

    def __reduce__(self) -> tuple[type[FastText], tuple[Path, str | None]]:
        return FastText, (self.path, self.label)  # the model itself cannot be sent anywhere

    def score(self, texts: pa.Array) -> np.ndarray:
        """float64 [n]: the probability of each text, in which lines are joined by spaces; NaN if it
        is blank, or the model knows nothing of it.
        """
        lines = [one_line(text or "") for text in texts.to_pylist()]
        k = self._labels if self.label else 1
        found = self._model.predict(lines, k, 0.0, "replace") if lines else ([], [])
        scores = map(self._probability, *found)
        return np.array([p if line else np.nan for p, line in zip(scores, lines, strict=True)])

    def _probability(self, labels: list[str], probabilities: Any) -> float:
        if not labels:  # it knows no word of the text, nor the end of a line
            return float("nan")
        if self.label:
            found = dict(zip(labels, probabilities, strict=True))
            return min(float(found.get(self.label, 0.0)), 1.0)
        top = min(float(probabilities[0]), 1.0)  # fastText adds a hundred-thousandth
        return 1 - top if labels[0] == COMMON else top


def one_line(text: str) -> str:
    """A text as RedPajama-V2 gives it to fastText, which reads lines."""
    return " ".join(text.splitlines()).strip()


def train_fasttext(
    positive: Iterable[pa.Array], negative: Iterable[pa.Array], path: Path, *, seed: int = 0
) -> dict[str, float]:
    """Train a classifier on at most 75,000 texts of each class, write it, and measure it on one in
    ten that are held out.

    Its labels are `__label__hq` and `__label__cc`. fastText's threads race, so two models of the
    same texts differ a little.

    Raises:
        UsageError: a class has less than two texts.
        MissingExtra: fastText is not installed.
    """
    fasttext = _fasttext()
    learn, apart = [], []
    for what, label, texts in (("positive", POSITIVE, positive), ("negative", COMMON, negative)):
        kept, held_out = split(sample(texts, what, seed))
        learn += [f"{label} {_without_labels(one_line(text))}\n" for text in kept]
        apart.append(pa.array(held_out, pa.string()))
    order = np.random.default_rng(seed).permutation(len(learn))
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".new-") as folder:
        lines, made = Path(folder) / "lines.txt", Path(folder) / "model.bin"
        with lines.open("w", encoding="utf-8", newline="") as file:
            file.writelines(learn[i] for i in order)
        model = fasttext.train_supervised(input=str(lines), seed=seed, **SETTINGS)
        model.save_model(str(made))
        metrics = measure(*map(FastText(made).score, apart))
        os.replace(made, path)
    return metrics | {"documents": float(len(learn))}


def _without_labels(line: str) -> str:
    """A line in which no word is taken for a label, whoever wrote it."""
    return line.replace(PREFIX, "label ")


def _fasttext() -> Any:
    try:
        import fasttext
    except ImportError as error:
        raise MissingExtra("fasttext-numpy2-wheel", "fasttext") from error
    return fasttext
