"""fastText models: what they learn, how RedPajama-V2 reads them, and files that are broken."""

from __future__ import annotations

import pickle
import struct
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openhearth.data.scorers import load_scorer
from openhearth.data.scorers.fasttext import FastText, train_fasttext
from openhearth.errors import NotFound, UsageError

fasttext = pytest.importorskip("fasttext")
TEXTS = pa.array(["The first text.", "another one\nof two lines", "", "fine text", "1 + 1 == 2"])


@pytest.fixture(scope="module")
def trained(
    tmp_path_factory: pytest.TempPathFactory, prose: list[str], code: list[str]
) -> tuple[Path, dict[str, float]]:
    path = tmp_path_factory.mktemp("fasttext") / "new" / "model.bin"
    return path, train_fasttext([pa.array(prose[:500])], [pa.array(code[:500])], path)


def small(path: Path, labels: list[str], **settings: object) -> Path:
    """A model of a few words for texts with these labels."""
    lines = [f"{label} word{i} and more of it {i}" for i in range(20) for label in labels]
    path.with_suffix(".txt").write_text("\n".join(lines))
    model = fasttext.train_supervised(
        str(path.with_suffix(".txt")), dim=10, epoch=1, thread=10, verbose=0, **settings
    )
    model.save_model(str(path))
    return path


def test_it_tells_docstrings_from_code(
    trained: tuple[Path, dict[str, float]], prose: list[str], code: list[str]
) -> None:
    path, metrics = trained
    scorer = load_scorer(path)
    good, bad = (scorer.score(pa.array(texts[500:])) for texts in (prose, code))
    assert np.mean(good[:, None] > bad[None, :]) > 0.98  # AUC on texts that it never saw
    assert metrics["auc"] > 0.98
    assert metrics["held_out"] == 100
    assert [p.name for p in path.parent.iterdir()] == ["model.bin"]  # nothing is left behind


def test_settings_are_those_of_redpajama(trained: tuple[Path, dict[str, float]]) -> None:
    # RedPajama-V2 trains with fastText's own settings: dim 100, epoch 5, wordNgrams 1 (and lr 0.1,
    # which a model does not keep).
    found = fasttext.load_model(str(trained[0])).f.getArgs()
    assert (found.dim, found.epoch, found.wordNgrams, found.bucket) == (100, 5, 1, 0)


def test_scores_are_those_of_redpajama(tmp_path: Path, prose: list[str]) -> None:
    # p of the top label, and 1 - p where that is __label__cc; lines are joined by spaces.
    path = small(tmp_path / "m.bin", ["__label__wiki", "__label__books", "__label__cc"])
    model = fasttext.load_model(str(path))
    expected = []
    for text in prose[:30]:
        labels, p = model.predict(" ".join(text.splitlines()).strip())
        expected.append(min(p[0], 1.0) if labels[0] != "__label__cc" else 1 - min(p[0], 1.0))
    assert load_scorer(path).score(pa.array(prose[:30])).tolist() == expected
    blank = load_scorer(path).score(pa.array(["", " \r\n\n", None, "word"]))
    assert np.isnan(blank).tolist() == [True, True, True, False]
    assert len(load_scorer(path).score(pa.array([], pa.string()))) == 0


@pytest.mark.parametrize("loss", ["softmax", "ova", "ns"])
def test_a_label_is_named_after_the_path(tmp_path: Path, loss: str) -> None:
    labels = ["__label__a", "__label__b", "__label__c"]
    path = small(tmp_path / "m.bin", labels, loss=loss)
    sums = sum(load_scorer(Path(f"{path}#{label}")).score(TEXTS) for label in labels)
    if loss == "softmax":
        np.testing.assert_allclose(sums[[0, 1, 3, 4]], 1, atol=1e-4)
    assert np.isnan(sums[2])
    with pytest.raises(UsageError, match=r"no label __label__cc: name one .* m\.bin#__label__"):
        load_scorer(path)
    with pytest.raises(UsageError, match="no label __label__d"):
        load_scorer(Path(f"{path}#__label__d"))
    with pytest.raises(NotFound):
        FastText(tmp_path / "nothing.bin")


def test_texts_cannot_name_labels(tmp_path: Path) -> None:
    wrong = [f"__label__cc __label__evil good words {i}" for i in range(20)]
    train_fasttext([pa.array(wrong)], [pa.array(["bad\nwords"] * 20)], tmp_path / "m.bin")
    found = fasttext.load_model(str(tmp_path / "m.bin"))
    assert sorted(found.labels) == ["__label__cc", "__label__hq"]
    assert "evil" in found.words


def test_a_scorer_can_be_sent(trained: tuple[Path, dict[str, float]]) -> None:
    scorer = load_scorer(Path(f"{trained[0]}#__label__hq"))
    again = pickle.loads(pickle.dumps(scorer))
    np.testing.assert_array_equal(again.score(TEXTS), scorer.score(TEXTS))


@pytest.mark.parametrize(
    ("settings", "reason"),
    [({"loss": "hs"}, "in a tree"), ({"wordNgrams": 65, "bucket": 8}, "no possible length")],
)
def test_what_fasttext_would_choke_on(tmp_path: Path, settings: dict, reason: str) -> None:
    path = small(tmp_path / "m.bin", ["__label__a", "__label__cc"], **settings)
    with pytest.raises(UsageError, match=reason):
        load_scorer(path)


def test_only_whole_supervised_models_are_read(tmp_path: Path) -> None:
    path = small(tmp_path / "m.bin", ["__label__a", "__label__cc"], minn=2, maxn=3, bucket=50)
    content = path.read_bytes()
    assert len(load_scorer(path).score(TEXTS)) == 5
    for broken, reason in (
        (content[:-1], "cut off"),
        (content + b"\0", "goes on after its end"),
        (content[:4], "requires a buffer"),
        (content[:4] + struct.pack("<i", 11) + content[8:], "another version"),
        # A longest n-gram of -1 is unsigned to fastText, which then divides by no buckets.
        (content[:48] + struct.pack("<i", -1) + content[52:], "no possible length"),
        (content[:-4] + struct.pack("<f", float("nan")), "weights are no numbers"),
    ):
        path.write_bytes(broken)
        with pytest.raises(UsageError, match=reason):
            load_scorer(path)
    model = fasttext.train_unsupervised(str(path.with_suffix(".txt")), dim=10, verbose=0, thread=10)
    model.save_model(str(path))
    with pytest.raises(UsageError, match="not supervised"):
        load_scorer(path)
    labels = ["__label__a", "__label__cc"]
    large = small(tmp_path / "q.bin", labels, wordNgrams=2, bucket=300)
    quantised = fasttext.load_model(str(large))
    quantised.quantize(verbose=1)
    quantised.save_model(str(path))
    with pytest.raises(UsageError, match=r"pruned|quantised"):
        load_scorer(path)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("small") / "m.bin"
    labels = ["__label__a", "__label__cc"]
    return small(path, labels, wordNgrams=2, minn=2, maxn=3, bucket=20).read_bytes()


@given(data=st.data())
@settings(max_examples=120, deadline=None)
def test_broken_files(data: st.DataObject, whole: bytes, tmp_path_factory) -> None:
    changed = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 3))):
        # Mostly in the settings and the dictionary, where fastText trusts most.
        end = data.draw(st.sampled_from([100, 1000, len(changed)]))
        at = data.draw(st.integers(4, end - 1))
        put = data.draw(st.one_of(st.binary(max_size=1), st.sampled_from(NUMBERS)))
        changed[at : at + data.draw(st.sampled_from([len(put), len(put), 0, 1]))] = put
    path = tmp_path_factory.getbasetemp() / "broken.bin"
    path.write_bytes(bytes(changed))
    try:
        scorer = load_scorer(path)
    except UsageError:
        return
    assert len(scorer.score(TEXTS)) == len(TEXTS)


NUMBERS = [struct.pack("<i", n) for n in (-1, 0, 1, 2**16, 2**31 - 1, -(2**31))]
NUMBERS += [struct.pack("<q", n) for n in (-1, 2**40, 2**63 - 1)]
