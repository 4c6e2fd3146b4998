"""Mixed corpora: the amounts of the plan, each document as often as it should, prefixes in
proportion, and the same by any number of threads.
"""

from __future__ import annotations

import importlib
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from openhearth.data import pipeline
from openhearth.data.corpus import account
from openhearth.data.executors import Threads
from openhearth.data.forms import Parquet
from openhearth.data.select import Mixed, Mixing, Mixture, mix
from openhearth.errors import NotFound, UsageError
from tests.data.select.corpora import documents

SIZES = {"cats": 400, "code": 60, "money": 15}
Documents = list[tuple[str, int]]  # slice, bytes


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts and batches so small that a few documents make many."""
    module = importlib.import_module("openhearth.data.select.mix")
    monkeypatch.setattr(module, "PART", 1 << 13)
    monkeypatch.setattr(module, "BATCH", 1 << 10)


@pytest.fixture
def slices(tmp_path: Path) -> Path:
    """A folder for each topic, of three files each."""
    for topic, count in SIZES.items():
        rows = documents(count, topics=[topic])
        (tmp_path / topic).mkdir()
        for i in range(3):
            lines = [json.dumps({"id": row["id"], "text": row["text"]}) for row in rows[i::3]]
            (tmp_path / topic / f"{i}.jsonl").write_text("\n".join(lines))
    return tmp_path


def mixture(folder: Path, weights: Sequence[float], epochs: float = 1, **more: object) -> Mixture:
    parts = [
        {"name": name, "path": str(folder / name), "weight": weight, "epochs": epochs}
        for name, weight in zip(SIZES, weights, strict=True)
    ]
    return Mixture.parse({"slices": parts, **more})


def rows(mixed: Mixed) -> list[dict]:
    return [row for batch in mixed.corpus.batches() for row in batch.to_pylist()]


def size(found: Sequence[dict], topic: str = "") -> int:
    return sum(len(row["text"]) for row in found if row["id"].startswith(topic))


@pytest.mark.usefixtures("small_parts")
def test_every_prefix_is_in_proportion(slices: Path, tmp_path: Path) -> None:
    mixed = mix(mixture(slices, [5, 3, 2], epochs=50, budget=100_000), tmp_path / "work")
    found = rows(mixed)
    assert len(mixed.corpus.parts) == 13
    largest = max(len(row["text"]) for row in found)
    total = size(found)
    assert abs(total - 100_000) <= 3 * largest / 2
    for name, share in zip(SIZES, (0.5, 0.3, 0.2), strict=True):
        assert mixed.given[name] == size(found, name)
        assert abs(mixed.given[name] - share * 100_000) <= largest / 2
    given = dict.fromkeys(SIZES, 0)
    for row in found:
        given[row["id"].split("-")[0]] += len(row["text"])
        done = sum(given.values()) / total
        for name, amount in given.items():
            # The slices are level to within a document each, and `done` is their mean.
            assert abs(amount - done * mixed.given[name]) <= 2 * largest


@pytest.mark.usefixtures("small_parts")
def test_documents_come_whole_epochs_and_some_once_more(slices: Path, tmp_path: Path) -> None:
    mixed = mix(mixture(slices, [5, 3, 2], epochs=50, budget=100_000), tmp_path / "work")
    counts = Counter(row["id"] for row in rows(mixed))
    for share in mixed.shares:
        times = {counts[f"{share.name}-{i}"] for i in range(SIZES[share.name])}
        whole = int(share.epochs)
        assert times == {whole, whole + 1}
        assert not share.capped


def test_a_slice_ends_at_its_epochs(slices: Path, tmp_path: Path) -> None:
    mixed = mix(mixture(slices, [1, 1, 1], epochs=2, budget=30_000), tmp_path / "work")
    assert [share.capped for share in mixed.shares] == [False, False, True]
    counts = Counter(row["id"] for row in rows(mixed))
    assert {counts[f"money-{i}"] for i in range(15)} == {2}
    assert abs(mixed.given["cats"] - mixed.given["code"]) < 500
    assert abs(sum(mixed.given.values()) - 30_000) < 800


@pytest.mark.usefixtures("small_parts")
def test_the_result_is_the_same_for_any_number_of_threads(slices: Path, tmp_path: Path) -> None:
    wanted = mixture(slices, [5, 3, 2], epochs=50, budget=100_000)
    results = []
    for threads in (1, 2, 5):
        executor = Threads(threads)
        mixed = mix(wanted, tmp_path / f"work{threads}", executor)
        out = tmp_path / f"out{threads}"
        report = pipeline.run(mixed.corpus, account, Parquet(), out, executor)
        results.append([path.read_bytes() for path in report.files])
    assert results[0] == results[1] == results[2]
    again = mix(wanted, tmp_path / "work1")
    assert again.corpus.fingerprint == mix(wanted, tmp_path / "work2").corpus.fingerprint
    (tmp_path / "out1" / "000003.done").unlink()
    resumed = pipeline.run(again.corpus, account, Parquet(), tmp_path / "out1")
    assert [path.read_bytes() for path in resumed.files] == results[0]


def test_another_seed_repeats_other_documents(slices: Path, tmp_path: Path) -> None:
    found = [
        Counter(
            row["id"]
            for row in rows(mix(mixture(slices, [1, 1, 1], budget=3000, seed=seed), tmp_path / "w"))
        )
        for seed in (0, 1)
    ]
    assert found[0] != found[1]


def short_and_chosen(slices: Path) -> Mixture:
    """A slice by a rule, and one that is selected from all that pass it."""
    rules = slices / "short.toml"
    rules.write_text('short = { signal = "rps_doc_word_count", max = 40 }\n')
    parts = [
        {"name": "cats", "path": str(slices / "cats"), "rules": [str(rules)]},
        {
            "name": "chosen",
            "path": str(slices / "*" / "*.jsonl"),
            "rules": [str(rules)],
            "select": {"n": 5},
            "targets": {"money": str(slices / "money")},
        },
    ]
    return Mixture.parse({"slices": parts, "budget": 10**9})


def test_rules_and_selections_come_first(slices: Path, tmp_path: Path) -> None:
    found = rows(mix(short_and_chosen(slices), tmp_path / "work"))
    topics = Counter(row["id"].split("-")[0] for row in found)
    assert topics["money"] == 5
    cats = documents(SIZES["cats"], topics=["cats"])
    assert topics["cats"] == sum(len(row["text"].split()) <= 40 for row in cats)


def test_the_fingerprint_is_known_before_anything_is_read(slices: Path, tmp_path: Path) -> None:
    wanted = short_and_chosen(slices)
    known = Mixing.of(wanted).fingerprint
    for name in ("here", "there"):
        assert mix(wanted, tmp_path / name).corpus.fingerprint == known
    assert Mixing.of(wanted.model_copy(update={"seed": 1})).fingerprint != known
    (slices / "short.toml").write_text('short = { signal = "rps_doc_word_count", max = 41 }\n')
    assert Mixing.of(wanted).fingerprint != known


def test_a_budget_of_nothing_is_refused(slices: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="less than one document"):
        mix(mixture(slices, [1, 1, 1], budget=3), tmp_path / "work")


def test_wrong_slices_are_named(slices: Path, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no file or folder"):
        mix(mixture(tmp_path / "elsewhere", [1, 1, 1]), tmp_path / "work")
    (slices / "money" / "0.jsonl").write_text("")
    (slices / "money" / "1.jsonl").write_text("")
    (slices / "money" / "2.jsonl").write_text("")
    with pytest.raises(UsageError, match=r"slice money of .* is empty"):
        mix(mixture(slices, [1, 1, 1]), tmp_path / "work")
