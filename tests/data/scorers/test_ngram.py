"""The language model, against Kneser and Ney's estimator written down without hashing."""

from __future__ import annotations

import itertools
import random
import string
from collections import Counter
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from openhearth.data.hashes import hash_words
from openhearth.data.scorers import ngram
from openhearth.data.scorers.features import words
from openhearth.data.scorers.ngram import NgramModel, train_ngram
from openhearth.errors import UsageError

UNKNOWN = "qqzzxx"


class Direct:
    """Interpolated Kneser-Ney over n-grams of words as they are."""

    def __init__(self, lines: list[list[str]], order: int) -> None:
        self.order = order
        padded = [["<s>"] * (order - 1) + line + ["</s>"] for line in lines]
        spans = [(line, i) for line in padded for i in range(order - 1, len(line))]
        self.counts = {order: Counter(tuple(x[i - order + 1 : i + 1]) for x, i in spans)}
        for n in range(order - 1, 0, -1):
            self.counts[n] = Counter(gram[1:] for gram in self.counts[n + 1])
        self.vocabulary = {gram[0] for gram in self.counts[1]}
        self.sums = {n: Counter[tuple[str, ...]]() for n in self.counts}
        self.followers = {n: Counter[tuple[str, ...]]() for n in self.counts}
        for n, counts in self.counts.items():
            for gram, count in counts.items():
                self.sums[n][gram[:-1]] += count
                self.followers[n][gram[:-1]] += 1

    @cache  # noqa: B019
    def discount(self, n: int) -> float:
        often = Counter(self.counts[n].values())
        return often[1] / (often[1] + 2 * often[2])

    def probability(self, gram: tuple[str, ...]) -> float:
        n, context = len(gram), gram[:-1]
        if n == 0:
            return 1 / (len(self.vocabulary) + 1)
        lower = self.probability(gram[1:])
        if not self.sums[n][context]:
            return lower
        discount = self.discount(n)
        kept = max(self.counts[n][gram] - discount, 0)
        spare = discount * self.followers[n][context] * lower
        return (kept + spare) / self.sums[n][context]

    def line(self, line: list[str]) -> list[float]:
        padded = ["<s>"] * (self.order - 1) + line + ["</s>"]
        n = self.order
        return [
            self.probability(tuple(padded[i - n + 1 : i + 1])) for i in range(n - 1, len(padded))
        ]


def lines_of(texts: list[str]) -> list[list[str]]:
    split = (words(line, fold=True) for text in texts for line in text.split("\n"))
    return [line for line in split if line]


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_it_is_kneser_ney(order: int, prose: list[str]) -> None:
    learn, judged = prose[:150], prose[150:170]
    model = train_ngram([pa.array(learn[:50]), pa.array(learn[50:])], order=order)
    direct = Direct(lines_of(learn), order)
    assert model.header.discounts == pytest.approx([direct.discount(n + 1) for n in range(order)])
    found, owners = model.probabilities(pa.array(judged))
    expected = [[p for line in lines_of([text]) for p in direct.line(line)] for text in judged]
    np.testing.assert_allclose(found, [p for text in expected for p in text], rtol=1e-9)
    assert np.bincount(owners).tolist() == [len(text) for text in expected]
    perplexities = [10 ** (-sum(np.log10(text)) / len(text)) for text in expected]
    np.testing.assert_allclose(model.score(pa.array(judged)), perplexities, rtol=1e-9)


def after(model: NgramModel, context: str, vocabulary: list[str]) -> float:
    """The sum of the probabilities of all words, of the end of a line and of an unknown word."""
    texts = [f"{context} {word}" for word in (*vocabulary, UNKNOWN)] + [context]
    found, owners = model.probabilities(pa.array(texts))
    place = len(words(context, fold=True))
    return float(sum(found[owners == i][place] for i in range(len(texts))))


def test_probabilities_sum_to_1(prose: list[str]) -> None:
    model = train_ngram([pa.array(prose[:100])])
    vocabulary = sorted({word for line in lines_of(prose[:100]) for word in line})
    for context in ("the", "of the", "return the", "nothing like it", f"the {UNKNOWN}"):
        assert after(model, context, vocabulary) == pytest.approx(1, abs=1e-9)


def own_slots(buckets: int) -> list[str]:
    """At most 40 words none of which shares its slot with another, or with the end of a line."""
    taken = {int(hash_words([ngram.END])[0] % np.uint64(buckets)): ngram.END}
    for a, b in itertools.product(string.ascii_lowercase, repeat=2):
        taken.setdefault(int(hash_words([f"w{a}{b}"])[0] % np.uint64(buckets)), f"w{a}{b}")
    return list(taken.values())[1:41]


@pytest.mark.parametrize("buckets", [61, 256, 4096])
def test_full_tables_leave_a_distribution(buckets: int) -> None:
    vocabulary, rng = own_slots(buckets), random.Random(0)
    # Only longer n-grams compete for slots: some 1,600 pairs and 5,000 triples.
    text = "\n".join(" ".join(rng.choices(vocabulary, k=9)) for _ in range(600))
    model = train_ngram([pa.array([text])], buckets=buckets)
    assert model.header.metrics["vocabulary"] == len(vocabulary) + 1
    assert model.header.metrics["slots_taken"] > 0.85
    for context in (vocabulary[0], f"{vocabulary[1]} {vocabulary[2]}", text.split("\n")[0]):
        assert after(model, context, vocabulary) == pytest.approx(1, abs=1e-9)


def test_the_order_of_words_matters(prose: list[str], code: list[str]) -> None:
    model = train_ngram([pa.array(prose[:550])])
    judged = [" ".join(text.split()) for text in prose[550:]]
    shuffled = [" ".join(random.Random(0).sample(t.split(), len(t.split()))) for t in judged]
    good, bad = model.score(pa.array(judged)), model.score(pa.array(shuffled))
    assert np.mean(good < bad) > 0.98
    assert np.median(bad) > 3 * np.median(good)
    assert np.median(model.score(pa.array(code))) > np.median(good)


def test_a_text_without_words_has_no_perplexity(prose: list[str]) -> None:
    model = train_ngram([pa.array(prose[:50])], buckets=1 << 12)
    found = model.score(pa.array(["", "\n\n", None, "the", "\nthe\n\n"]))
    assert np.isnan(found).tolist() == [True, True, True, False, False]
    assert found[3] == found[4]  # lines without words count for nothing
    assert len(model.score(pa.array([], pa.string()))) == 0


def test_batches_do_not_matter(prose: list[str], tmp_path: Path) -> None:
    for name, size in (("one", 1), ("two", 37), ("three", 100)):
        batches = (pa.array(prose[:100][i : i + size]) for i in range(0, 100, size))
        train_ngram(batches, buckets=1 << 10).save(tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert (tmp_path / "one").read_bytes() == (tmp_path / "three").read_bytes()


def test_cutoffs_are_percentiles_of_what_is_judged(prose: list[str], tmp_path: Path) -> None:
    model = train_ngram([pa.array(prose[:100])], order=2, buckets=1 << 12)
    assert model.cutoffs is None
    judged = [pa.array(prose[100:150]), pa.array(["", *prose[150:200]])]
    model = model.with_cutoffs(judged)
    scores = model.score(pa.array(prose[100:200]))
    assert model.cutoffs == pytest.approx(np.percentile(scores, [30, 60]))
    model.save(tmp_path / "m.npz")
    again = ngram.load(tmp_path / "m.npz")
    assert again.header == model.header
    assert (
        again.score(pa.array(prose[:50])).tobytes() == model.score(pa.array(prose[:50])).tobytes()
    )
    with pytest.raises(UsageError, match="cut-offs of head and middle"):
        model.with_cutoffs([pa.array([""])])


def test_nothing_to_learn_from_is_refused() -> None:
    for texts in ([], [pa.array([], pa.string())], [pa.array(["", " "])]):
        with pytest.raises(UsageError, match="no documents with words"):
            train_ngram(texts)
    with pytest.raises(UsageError, match="over the limit"):
        train_ngram([pa.array(["a"])], order=5, buckets=1 << 24)
