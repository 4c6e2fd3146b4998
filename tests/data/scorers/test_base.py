"""Training by the one function that the command line calls, and scorers among the signals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import orjson
import pyarrow as pa
import pytest

from openhearth.data.schema import Quarantine, document, to_batch
from openhearth.data.scorers import load_scorer, split_label, train
from openhearth.data.signals import Resources, SignalRecipe, signal_table
from openhearth.errors import NotFound, UsageError

WIKIREF = "rps_doc_ml_wikiref_score"


def batch(texts: list[str], **metadata: object) -> pa.RecordBatch:
    rows = [document(str(i), text, "test", **metadata) for i, text in enumerate(texts)]
    return to_batch(rows, Quarantine())


def column(texts: list[str], name: str, recipe: SignalRecipe, **metadata: object) -> list:
    table = signal_table(batch(texts, **metadata), [name], Resources.load(recipe))
    assert [c for c in table.column_names if c.startswith(("ccnet", "score", "rps"))] == [name]
    return table.column(name).to_pylist()


@pytest.fixture(scope="module")
def linear(tmp_path_factory: pytest.TempPathFactory, prose: list[str], code: list[str]) -> Path:
    path = tmp_path_factory.mktemp("linear") / "new" / "m.npz"
    train("linear", [pa.array(prose[:200])], [pa.array(code[:200])], path, buckets=1 << 14)
    return path


@pytest.fixture(scope="module")
def ngram(tmp_path_factory: pytest.TempPathFactory, prose: list[str], code: list[str]) -> Path:
    path = tmp_path_factory.mktemp("ngram") / "m.npz"
    web = [pa.array(prose[300:400]), pa.array(code[:100])]
    metrics = train("ngram", [pa.array(prose[:300])], web, path, order=2, buckets=1 << 15)
    assert (metrics["head"], metrics["middle"]) == load_scorer(path).cutoffs
    return path


def test_classifier_scores(linear: Path, prose: list[str], code: list[str]) -> None:
    texts = [*prose[600:620], "", *code[600:620]]
    for name in (WIKIREF, "score_mine"):
        found = column(texts, name, SignalRecipe(scorers={name: str(linear)}))
        expected = load_scorer(linear).score(pa.array(texts))
        assert found == [None if np.isnan(p) else round(p, 8) for p in expected.tolist()]
        assert found[20] is None
        assert np.mean(found[:20]) > 0.8 > 0.2 > np.mean(found[21:])
    assert column(texts[:2], WIKIREF, SignalRecipe()) == [None, None]


def test_perplexity_and_buckets(ngram: Path, prose: list[str], code: list[str]) -> None:
    texts = [*prose[400:500], "", *code[100:200]]
    recipe = SignalRecipe(scorers={"ccnet_perplexity": str(ngram)})
    perplexities = column(texts, "ccnet_perplexity", recipe)
    buckets = column(texts, "ccnet_bucket", recipe)
    head, middle = load_scorer(ngram).cutoffs
    for perplexity, bucket in zip(perplexities, buckets, strict=True):
        expected = (
            None if perplexity is None else float((perplexity >= head) + (perplexity >= middle))
        )
        assert bucket == expected
    assert buckets[100] is None
    shares = [sum(b == n for b in buckets) / 200 for n in (0.0, 1.0, 2.0)]
    assert shares == pytest.approx([0.3, 0.3, 0.4], abs=0.12)  # the cut-offs' percentiles
    assert np.mean(buckets[:100]) < np.mean(buckets[101:])


def test_the_recipes_buckets_come_first(ngram: Path, prose: list[str]) -> None:
    recipe = SignalRecipe(scorers={"ccnet_perplexity": str(ngram)}, buckets=[1.0, 1e9])
    assert column(prose[:3], "ccnet_bucket", recipe) == [1.0, 1.0, 1.0]


def test_a_models_perplexity_replaces_the_published_one(ngram: Path, prose: list[str]) -> None:
    published = {"perplexity": 3.0, "bucket": "tail"}
    recipe = SignalRecipe(scorers={"ccnet_perplexity": str(ngram)}, buckets=[1.0, 1e9])
    assert column(prose[:1], "ccnet_bucket", recipe, **published) == [1.0]
    assert column(prose[:1], "ccnet_bucket", SignalRecipe(), **published) == [2.0]
    assert column(prose[:1], "ccnet_perplexity", SignalRecipe(), **published) == [3.0]


def test_a_score_without_a_model_is_an_error(linear: Path) -> None:
    with pytest.raises(UsageError, match="no model for score_other: name it among the scorers"):
        column(["a"], "score_other", SignalRecipe(scorers={"score_mine": str(linear)}))
    for name in ("score_", "ccnet_bucket", "mine"):
        with pytest.raises(UsageError, match=f"No model gives '{name}'"):
            Resources.load(SignalRecipe(scorers={name: str(linear)}))
    with pytest.raises(NotFound, match="check its name"):
        Resources.load(SignalRecipe(scorers={"score_mine": "nothing.npz"}))


def test_a_label_is_no_part_of_the_file() -> None:
    assert split_label(Path("a/m.bin#__label__hq")) == (Path("a/m.bin"), "__label__hq")
    assert split_label(Path("a/c#.bin")) == (Path("a/c#.bin"), None)
    recipe = SignalRecipe(scorers={"score_mine": "a/m.bin#__label__hq"})
    assert recipe.files() == ["a/m.bin"]


def test_what_cannot_be_trained(tmp_path: Path, prose: list[str]) -> None:
    some = [pa.array(prose[:9])]
    for arguments, options, reason in (
        (("linear", some, None, tmp_path / "m"), {}, "needs negative texts"),
        (("linear", some, some, tmp_path), {}, "is a folder"),
        (("linear", some, [], tmp_path / "m"), {}, "0 negative documents"),
        (("fasttext", [], some, tmp_path / "m"), {}, "0 positive documents"),
        (("ngram", [], None, tmp_path / "m"), {}, "no documents with words"),
        (("ngram", some, None, tmp_path / "m"), {"order": 7}, "from 1 to 6, not 7"),
        (("ngram", some, None, tmp_path / "m"), {"buckets": 0}, "cannot have 0 buckets"),
        (("forest", some, some, tmp_path / "m"), {}, "no kind of scorer 'forest'"),
    ):
        with pytest.raises(UsageError, match=reason):
            train(*arguments, **options)
        assert list(tmp_path.iterdir()) == []


def test_an_ngram_model_needs_no_negative_texts(tmp_path: Path, prose: list[str]) -> None:
    metrics = train("ngram", [pa.array(prose[:50])], None, tmp_path / "m", buckets=1 << 12)
    assert metrics["documents"] == 50
    assert load_scorer(tmp_path / "m").cutoffs is None
    assert orjson.dumps(metrics)  # plain numbers
