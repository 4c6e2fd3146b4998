"""The linear classifier: what it learns from real text, and how it learns, step by step."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from openhearth.data.scorers import linear
from openhearth.data.scorers.features import Bags
from openhearth.data.scorers.linear import train_linear
from openhearth.errors import UsageError


@pytest.fixture(scope="module")
def model(prose: list[str], code: list[str]) -> linear.Linear:
    return train_linear([pa.array(prose[:600])], [pa.array(code[:600])])


def test_it_tells_docstrings_from_code(
    model: linear.Linear, prose: list[str], code: list[str]
) -> None:
    good, bad = (model.score(pa.array(texts[600:])) for texts in (prose, code))
    assert np.mean(good[:, None] > bad[None, :]) > 0.99  # AUC on texts that it never saw
    assert model.header.metrics["auc"] > 0.99
    assert model.header.metrics["accuracy"] > 0.95
    assert model.header.metrics["calibration_error"] < 0.1


def test_labels_by_chance_are_not_learned(prose: list[str]) -> None:
    metrics = train_linear([pa.array(prose[::2])], [pa.array(prose[1::2])]).header.metrics
    assert 0.3 < metrics["auc"] < 0.7


def test_a_text_without_words_has_no_score(model: linear.Linear) -> None:
    found = model.score(pa.array(["", " \n", None, "Return the number of items."]))
    assert np.isnan(found).tolist() == [True, True, True, False]
    assert len(model.score(pa.array([], pa.string()))) == 0


def test_a_score_does_not_depend_on_the_texts_beside_it(
    model: linear.Linear, prose: list[str]
) -> None:
    together = model.score(pa.array(prose[:20]))
    assert together.tolist() == [model.score(pa.array([text]))[0] for text in prose[:20]]


def test_the_same_texts_give_the_same_file(tmp_path: Path, prose: list[str]) -> None:
    for name, batches in (("one", [prose[:60]]), ("two", [prose[:7], prose[7:60]])):
        positive = (pa.array(batch) for batch in batches)
        train_linear(positive, [pa.array(prose[60:90])], buckets=512).save(tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_a_file_holds_the_very_model(tmp_path: Path, model: linear.Linear) -> None:
    model.save(tmp_path / "m.npz")
    again = linear.load(tmp_path / "m.npz")
    assert again.header == model.header
    assert again.weights.tobytes() == model.weights.tobytes()
    with np.load(tmp_path / "m.npz", allow_pickle=False) as numpys:
        assert numpys["weights"].tobytes() == model.weights.tobytes()


def test_the_weights_are_the_mean_over_all_steps() -> None:
    # Against AdaGrad as its paper has it, one number at a time, with all weights kept.
    values = np.float32([0.6, 0.8, 1.0, 1.0])
    examples = Bags(np.array([0, 2, 3, 4]), np.array([0, 2, 1, 2], np.int32), values)
    labels = np.array([1.0, 0.0, 1.0])
    found = linear._fit(examples, labels, buckets=3, epochs=2, seed=5)

    rng = np.random.default_rng(5)
    weights, squares, history = [0.0] * 4, [linear.DAMPING] * 4, []
    for _ in range(2):
        for i in rng.permutation(3):
            history.append(list(weights))
            row = range(examples.offsets[i], examples.offsets[i + 1])
            features = {int(examples.buckets[k]): float(values[k]) for k in row} | {3: 1.0}
            z = sum(weights[k] * value for k, value in features.items())
            error = 1 / (1 + math.exp(-z)) - labels[i]
            for k, value in features.items():
                squares[k] += (error * value) ** 2
                weights[k] -= linear.RATE * error * value / math.sqrt(squares[k])
    history = [*history[1:], weights]
    np.testing.assert_allclose(found, np.mean(history, axis=0), rtol=1e-6)


def test_too_little_or_too_much_is_refused(prose: list[str]) -> None:
    some, none = [pa.array(prose[:9])], [pa.array([], pa.string())]
    with pytest.raises(UsageError, match="0 negative documents"):
        train_linear(some, none)
    with pytest.raises(UsageError, match="over the limit of 1024 MiB"):
        train_linear(some, some, buckets=1 << 29)
