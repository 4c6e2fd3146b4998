"""The front door: a corpus in, the kept documents, the funnel, pairs and signatures out."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from openhearth.data.dedup import DedupRecipe, dedup_corpus, minhash_corpus, pairs, piles
from openhearth.data.executors import Threads
from openhearth.data.forms import open_output
from openhearth.errors import UsageError
from tests.data.dedup.test_minhash import GOLDEN, jaccard
from tests.data.dedup.texts import EDGES, corpus_of, varied

PAIRS = [varied(150, 1 + seed % 9, seed) for seed in range(60)]
TEXTS = [text for pair in PAIRS for text in pair]


@pytest.mark.parametrize(
    ("recipe", "removed", "cut"),
    [
        ({"method": "exact"}, 1, 0),
        ({"method": "exact", "normalised": True}, 2, 0),
        ({"method": "minhash", "preset": "rpv2"}, 2, 0),
        ({"method": "paragraph"}, 1, 1),
        ({"method": "line"}, 2, 2),
        ({"method": "substring", "words": 20}, 2, 2),
    ],
)
def test_every_method_writes_what_stays(
    recipe: dict, removed: int, cut: int, tmp_path: Path
) -> None:
    text = PAIRS[0][0]
    out = tmp_path / "kept.jsonl"
    rows, report = dedup_corpus(
        corpus_of([text, text.upper(), PAIRS[1][0], text]),
        DedupRecipe(**recipe),
        open_output(out),
    )
    kept = [json.loads(line)["id"] for line in out.read_text().splitlines()]
    assert kept == ["d0", "d1", "d2"] if removed == 1 else ["d0", "d2"]
    (row,) = rows
    assert (row["documents"], row["removed"], row["lines"]) == (4, removed, cut)
    assert report.tally.counts["documents"] == 4 - removed
    assert [path.name for path in tmp_path.iterdir()] == ["kept.jsonl"]


def test_pairs_have_their_true_similarity(tmp_path: Path) -> None:
    recipe = DedupRecipe(method="minhash", pairs=tmp_path / "pairs.parquet")
    rows, _ = dedup_corpus(corpus_of(TEXTS), recipe, open_output(tmp_path / "kept"), Threads(2))
    found = pq.read_table(recipe.pairs).to_pylist()
    assert len(found) == rows[0]["removed"] > 30
    for pair in found:
        assert pair["first_id"] == f"d{pair['first']}"
        assert pair["id"] == f"d{pair['number']}"
        truth = jaccard(TEXTS[pair["first"]], TEXTS[pair["number"]], 5)
        assert pair["jaccard"] == pytest.approx(truth)


def test_pairs_are_the_same_from_ranges_of_any_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Small corpora have them by their first documents."""
    tables = []
    for size in (1 << 19, 7):
        monkeypatch.setattr(piles, "RANGE", size)
        monkeypatch.setattr(piles, "BUFFER_BYTES", 1 << 22 if not tables else 50)
        monkeypatch.setattr(pairs, "CHUNK", 1 << 14 if not tables else 3)
        monkeypatch.setattr(pairs, "FEW", 1 << 8 if not tables else 2)
        recipe = DedupRecipe(method="minhash", pairs=tmp_path / f"{size}.parquet")
        dedup_corpus(corpus_of([*TEXTS, *TEXTS[::5]]), recipe, open_output(tmp_path / f"{size}"))
        tables.append(pq.read_table(recipe.pairs).to_pylist())
    assert tables[0] == sorted(tables[0], key=lambda pair: (pair["first"], pair["number"]))
    assert tables[0] == sorted(tables[1], key=lambda pair: (pair["first"], pair["number"]))
    assert len(tables[0]) > 60


def test_a_corpus_comes_twice_with_an_index(tmp_path: Path) -> None:
    recipe = DedupRecipe(method="minhash", index=tmp_path / "index")
    first, _ = dedup_corpus(corpus_of(TEXTS[:50]), recipe, open_output(tmp_path / "1.parquet"))
    again, _ = dedup_corpus(corpus_of(TEXTS[:50]), recipe, open_output(tmp_path / "2.parquet"))
    assert first[0]["kept"] > 0
    assert again[0]["kept"] == 0


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        ({"method": "exact", "pairs": "x.parquet"}, "Only minhash"),
        ({"method": "line", "keep": "newest"}, "always the first"),
        ({"method": "minhash", "preset": "x"}, "no preset"),
        ({"method": "minhash", "keep": "most:x"}, "needs signals"),
    ],
)
def test_recipes_that_make_no_sense_are_refused(recipe: dict, message: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=message):
        dedup_corpus(corpus_of(["a"]), DedupRecipe(**recipe), open_output(tmp_path / "x.parquet"))


def test_signatures_are_published_as_redpajama_does(tmp_path: Path) -> None:
    corpus = corpus_of(EDGES)
    for row in corpus.parts[0].read(corpus.quarantine)[0].rows[:1]:
        row["id"] = "2023-14/0000/en_head.json.gz/0"
    minhash_corpus(corpus, "rpv2", open_output(tmp_path / "m.parquet"))
    table = pq.read_table(tmp_path / "m.parquet")
    similarities = ["1.0", "0.9", "0.8", "0.7"]  # in the order of its configuration
    columns = ["shard_id", "id", "id_int", *(f"signature_sim{s}" for s in similarities)]
    assert table.column_names == columns
    first = table.slice(0, 1).to_pylist()[0]
    assert first["shard_id"] == "2023-14/0000/en_head.json.gz"
    assert first["id_int"] == GOLDEN["id_int"]
    for row, golden in zip(table.to_pylist(), GOLDEN["signatures"], strict=True):
        for similarity in similarities:
            name = f"signature_sim{similarity}"
            assert (row[name] is None) == (golden is None)
            if golden is not None:
                assert hashlib.sha256(b"".join(row[name])).hexdigest() == golden[name]


def test_other_presets_have_one_column(tmp_path: Path) -> None:
    for preset, name in (("hearth", "signature_sim0.7"), ("fineweb", "signature")):
        minhash_corpus(corpus_of(TEXTS[:4]), preset, open_output(tmp_path / f"{preset}.parquet"))
        assert pq.read_table(tmp_path / f"{preset}.parquet").column_names[3:] == [name]
