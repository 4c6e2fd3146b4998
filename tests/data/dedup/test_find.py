"""Copies in a corpus: found at the rates of theory, the same whoever does the work, and cut short
runs go on.
"""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openhearth.data import pipeline
from openhearth.data.dedup import (
    PRESETS,
    Drop,
    Duplicates,
    Exact,
    Method,
    Near,
    Newest,
    Sources,
    find,
    keep_of,
    near,
    piles,
)
from openhearth.data.dedup.index import SeenIndex
from openhearth.data.dedup.keep import Keep
from openhearth.data.forms import Parquet
from openhearth.data.schema import Corpus
from openhearth.errors import HearthError, UsageError
from tests.data.dedup.test_group import wide
from tests.data.dedup.test_minhash import jaccard
from tests.data.dedup.texts import corpus_of, varied

ROOT = Path(__file__).parents[3]


def left(corpus: Corpus, found: Duplicates, work: Path) -> list[str]:
    """The ids of the documents that stay."""
    report = pipeline.run(corpus, Drop((found,)), Parquet(), work / "left")
    tables = [pa.parquet.read_table(path) for path in report.files]
    assert report.tally.counts[f"removed:{found.name}"] == found.copies
    return pa.concat_tables(tables).column("id").to_pylist()


def planted(copies: int = 200) -> list[str]:
    """Documents of which some are near copies of others, far away in the corpus."""
    pairs = [varied(120, 1 + seed % 4, seed) for seed in range(copies)]
    return [one for one, _ in pairs] + [other for _, other in reversed(pairs)]


@pytest.mark.parametrize("name", ["rpv2-0.7", "rpv2-0.8", "hearth", "fineweb"])
def test_copies_are_found_at_the_rates_of_theory(name: str, tmp_path: Path) -> None:
    """2000 pairs with similarities of 0.5 to 1; of each tenth, the number found is a sum of draws
    whose chances are known.
    """
    preset = PRESETS[name]
    pairs = [
        varied(100 + seed % 50, seed * (130 // preset.words) // 2000, seed) for seed in range(2000)
    ]
    corpus = corpus_of([text for pair in pairs for text in pair], block=500)
    clusters = find(corpus, Near(preset), tmp_path).clusters().reshape(-1, 2)
    found: Counter[int] = Counter()
    expected: Counter[int] = Counter()
    spread: Counter[int] = Counter()
    for (one, other), pair in zip(clusters, pairs, strict=True):
        similarity = jaccard(*pair, preset.words)
        chance = preset.chance(similarity)
        found[int(10 * similarity)] += one == other
        expected[int(10 * similarity)] += chance
        spread[int(10 * similarity)] += chance * (1 - chance)
    assert set(found) >= {5, 6, 7, 8, 9, 10}
    for tenth in found:
        # By Bernstein's inequality, less than once in 1000.
        assert abs(found[tenth] - expected[tenth]) <= 4 * spread[tenth] ** 0.5 + 5, tenth
    # Pairs have nothing in common with each other.
    assert (clusters // 2 == np.arange(2000)[:, None]).all()


@pytest.mark.parametrize("method", [Exact(), Near(near(0.7, 5))])
def test_any_number_of_workers_and_any_parts_find_the_same(method: Method, tmp_path: Path) -> None:
    texts = [*planted(), *planted(20)]
    results = []
    for block, threads, width in ((1, 1, 1), (2, 2, 3), (5, 5, 40)):
        corpus, work = corpus_of(texts, block=block), tmp_path / str(block)
        found = find(corpus, method, work, executor=wide(width, threads))
        results.append((found.clusters().tolist(), found.edges.read_bytes()))
        assert not (work / "groups").exists()
    assert results[0] == results[1] == results[2]
    assert results[0][0] != list(range(len(texts)))


@pytest.mark.parametrize("width", [2, 5])
def test_any_number_of_workers_remembers_the_same(width: int, tmp_path: Path) -> None:
    texts, made = planted(60), []
    for executor in (wide(1), wide(width)):
        work = tmp_path / str(executor.width)
        for i, half in enumerate((texts[:70], texts[40:])):
            corpus = corpus_of(half)
            find(corpus, Exact(), work / str(i), index=work / "index", executor=executor).remember()
        made.append((work / "index/000002.keys").read_bytes())
    assert made[0] == made[1]
    assert len(made[0]) == 16 * len(texts)


@pytest.mark.parametrize("size", [1, 7, 50])
@pytest.mark.parametrize("keep", [keep_of("first"), Newest()])
def test_ranges_of_any_size_find_the_same(
    keep: Keep, size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = [*planted(40), *planted(30), *planted(20)]
    dates = [f"20{i * 37 % 90:02}-01-01" for i in range(len(texts))]
    corpus, old = corpus_of(texts, created=dates), corpus_of(planted(10))
    found = []
    for name in ("whole", "ranges"):
        work, index = tmp_path / name, tmp_path / name / "index"
        find(old, Exact(), work / "old", index=index).remember()
        found.append(find(corpus, Exact(), work, keep=keep, index=index))
        assert not (work / "clusters").exists()
        monkeypatch.setattr(piles, "RANGE", size)
        monkeypatch.setattr(piles, "SHARED", 3)
        monkeypatch.setattr(piles, "BUFFER_BYTES", 100)
    whole, ranged = ([path.read_bytes() for path in one.files] for one in found)
    assert whole == ranged
    assert found[0].copies == found[1].copies > 60


class Killed(Exception):
    """A run that ends in the middle."""


@pytest.mark.parametrize("widths", [(1, 1), (3, 3), (3, 2), (1, 4)])
@pytest.mark.parametrize("after", range(0, 21, 4))
def test_a_run_that_was_cut_short_goes_on_to_the_same(
    after: int, widths: tuple[int, int], tmp_path: Path
) -> None:
    """While keys are made or grouped, by as many workers or by others than before."""
    corpus, method = corpus_of(planted(60)), Near(near(0.7, 5))
    whole = find(corpus, method, tmp_path / "whole")
    begun, ended = map(wide, widths)
    reports = len(corpus.parts) + 1 + 2 * begun.width  # of progress
    steps = iter(range(10**9))

    def tell(*_: object) -> None:
        if next(steps) == after:
            raise Killed

    work = tmp_path / "work"
    if after < reports:
        with pytest.raises(Killed):
            find(corpus, method, work, executor=begun, progress=tell)
        assert not (work / "found.json").exists()
    resumed = find(corpus, method, work, executor=ended)
    for one, other in zip(whole.files, resumed.files, strict=True):
        assert one.read_bytes() == other.read_bytes()
    assert resumed.edges.read_bytes() == whole.edges.read_bytes()
    assert resumed.copies == whole.copies > 0


# Takes the hardest way out when it opens a file among groups or clusters for so many times.
KILLED = """
import os, signal, sys
from pathlib import Path
from openhearth.data.dedup import Exact, find, piles
from tests.data.dedup.test_find import planted
from tests.data.dedup.test_group import wide
from tests.data.dedup.texts import corpus_of

left = int(sys.argv[2])
piles.RANGE, piles.SHARED, piles.BUFFER_BYTES = 16, 2, 100

def watch(event, arguments):
    global left
    if event == "open" and {"groups", "clusters"} & set(str(arguments[0]).split("/")):
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(watch)
work = Path(sys.argv[1])
find(corpus_of(planted(60)), Exact(), work / "work", index=work / "index", executor=wide(3))
"""


@pytest.mark.system
def test_a_run_that_is_killed_again_and_again_comes_to_the_same(tmp_path: Path) -> None:
    corpora = corpus_of(planted(20)), corpus_of(planted(60))
    for work in (tmp_path / "killed", tmp_path / "whole"):
        find(corpora[0], Exact(), work / "first", index=work / "index").remember()
    codes = []
    for left in (4**i for i in range(12)):
        command = [sys.executable, "-c", KILLED, str(tmp_path / "killed"), str(left)]
        codes.append(subprocess.run(command, cwd=ROOT, timeout=300).returncode)
        if codes[-1] == 0:
            break
    assert codes == [-signal.SIGKILL] * (len(codes) - 1) + [0]
    assert len(codes) > 3
    results = []
    for work in (tmp_path / "killed", tmp_path / "whole"):
        found = find(corpora[1], Exact(), work / "work", index=work / "index")
        found.remember()
        assert found.copies == 40
        results.append([p.read_bytes() for p in (*found.files, found.edges)])
        results[-1].append((work / "index/000002.keys").read_bytes())
    assert results[0] == results[1]


def test_exact_copies_are_equal_as_they_stand_or_normalised(tmp_path: Path) -> None:
    corpus = corpus_of(["Hello, world!", "hello   WORLD", "hello worlds", "Hello, world!", "", ""])
    as_they_stand = find(corpus, Exact(), tmp_path / "1")
    assert as_they_stand.clusters().tolist() == [0, 1, 2, 0, 4, 4]
    normalised = find(corpus, Exact(normalised=True), tmp_path / "2")
    assert normalised.clusters().tolist() == [0, 0, 2, 0, 4, 4]
    assert left(corpus, normalised, tmp_path) == ["d0", "d2", "d4"]


def test_short_documents_are_no_near_copies(tmp_path: Path) -> None:
    found = find(corpus_of(["a b c d"] * 3), Near(near(0.7, 5)), tmp_path)
    assert found.copies == 0


def test_policies_say_which_copy_stays(tmp_path: Path) -> None:
    dates = ["2024-01-01", "2024-01-01T10:00:00Z", "2023-06-01", None, "2024-01-01T11:00:00+02:00"]
    corpus = corpus_of(["same"] * 5, created=dates, source=["web", "wiki", "wiki", "books", "x"])
    for keep, stays in (
        (keep_of("first"), "d0"),
        (Newest(), "d1"),
        (Sources(("books", "wiki")), "d3"),
        (keep_of("sources:wiki,web"), "d1"),
        (keep_of("sources:other"), "d0"),
    ):
        work = tmp_path / f"{keep}"
        assert left(corpus, find(corpus, Exact(), work, keep=keep), work) == [stays]


def test_the_best_copy_by_a_signal_stays(tmp_path: Path) -> None:
    corpus = corpus_of(["same"] * 4 + ["alone"], part=1, block=5)
    overlay = tmp_path / "overlay.parquet"
    values = [0.5, None, 0.9, 0.9, 0.1]
    pa.parquet.write_table(pa.table({"quality": pa.array(values, pa.float64())}), overlay)
    one_part = Corpus(corpus.location, "", corpus.parts[:1])
    for policy, stays in (("most:quality", "d2"), ("least:quality", "d0")):
        work = tmp_path / policy
        found = find(one_part, Exact(), work, keep=keep_of(policy, [overlay]))
        assert left(one_part, found, work) == [stays, "d4"]
    with pytest.raises(UsageError, match="no signal 'other'"):
        find(one_part, Exact(), tmp_path / "x", keep=keep_of("most:other", [overlay]))


@pytest.mark.parametrize("policy", ["best", "sources:", "first:x", "most:", ""])
def test_unknown_policies_name_the_known_ones(policy: str) -> None:
    with pytest.raises(UsageError, match="use first, newest"):
        keep_of(policy)
    with pytest.raises(UsageError, match="needs signals"):
        keep_of("most:quality")


@settings(deadline=None, max_examples=30)
@given(st.lists(st.sampled_from("abcdef"), max_size=12), st.integers(0, 12))
def test_old_and_new_are_as_one_corpus(names: list[str], cut: int) -> None:
    """What stays of a corpus is what stays of its two halves, one after the other."""
    texts = [" ".join(name * 3) for name in names]
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        whole = corpus_of(texts)
        expected = [texts[int(i[1:])] for i in left(whole, find(whole, Exact(), work / "1"), work)]
        got = []
        for i, half in enumerate((texts[:cut], texts[cut:])):
            corpus = corpus_of(half)
            found = find(corpus, Exact(), work / f"half{i}", index=work / "index")
            got += [half[int(i[1:])] for i in left(corpus, found, work / f"half{i}")]
            found.remember()
        assert got == expected


def test_near_copies_of_what_was_seen_go(tmp_path: Path) -> None:
    texts, method = planted(80), Near(near(0.7, 5))
    whole = corpus_of(texts)
    expected = left(whole, find(whole, method, tmp_path / "1"), tmp_path)
    got = []
    for i in (0, 1, 2):
        here = slice(i * 60, (i + 1) * 60)
        corpus = corpus_of(texts[here])
        found = find(corpus, method, tmp_path / f"part{i}", index=tmp_path / "index")
        kept = left(corpus, found, tmp_path / f"part{i}")
        got += [f"d{int(name[1:]) + here.start}" for name in kept]
        found.remember()
    assert got == expected
    with pytest.raises(UsageError, match="was made with"):
        find(whole, Near(near(0.8, 5)), tmp_path / "x", index=tmp_path / "index")


def test_runs_that_share_an_index_do_not_lose_each_others_keys(tmp_path: Path) -> None:
    one, other = corpus_of(["a", "b"]), corpus_of(["b", "c"])
    index = tmp_path / "index"
    first = find(one, Exact(), tmp_path / "1", index=index)
    find(other, Exact(), tmp_path / "2", index=index).remember()
    with pytest.raises(HearthError, match="extended meanwhile"):
        first.remember()
    again = find(one, Exact(), tmp_path / "1", index=index)  # goes on where it was
    assert left(one, again, tmp_path / "1") == ["d0"]
    again.remember()
    same = find(one, Exact(), tmp_path / "1", index=index)  # it had ended all but in name
    assert left(one, same, tmp_path / "1") == ["d0"]
    same.remember()
    for text in "abc":
        assert find(corpus_of([text]), Exact(), tmp_path / text, index=index).copies == 1


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("manifest.json", b"{"),
        ("manifest.json", b"[]"),
        (
            "manifest.json",
            b'{"version":2,"generation":1,"keys":3,"words":2,"last":"","settings":{}}',
        ),
        ("000001.keys", b"12345678"),
        ("000001.keys", bytes(48)),
        ("000001.keys", None),
    ],
)
def test_a_damaged_index_is_refused(name: str, data: bytes | None, tmp_path: Path) -> None:
    index = tmp_path / "index"
    corpus = corpus_of(["a", "b", "c"])
    find(corpus, Exact(), tmp_path / "1", index=index).remember()
    (index / name).unlink()
    if data is not None:
        (index / name).write_bytes(data)
    for width in (1, 3):
        with pytest.raises(HearthError, match="is damaged"):
            find(corpus, Exact(), tmp_path / "2", index=index, executor=wide(width))


@settings(deadline=None)
@given(
    st.binary(max_size=60)
    | st.fixed_dictionaries(
        {
            "version": st.sampled_from([1, 2, None]),
            "generation": st.sampled_from([1, 0, -1, 10**300, 1e308, "x", "../1"]),
            "keys": st.sampled_from([0, 1, -1, 2**63, True, None]),
            "words": st.sampled_from([2, 1, "2"]),
            "settings": st.sampled_from([Exact().settings(), {}, []]),
            "last": st.sampled_from(["x", None, 1]),
        }
    ).map(lambda manifest: json.dumps(manifest).encode())
)
def test_any_manifest_is_read_or_refused(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "manifest.json").write_bytes(data)
        (Path(folder) / "000001.keys").write_bytes(bytes(16))
        with contextlib.suppress(HearthError):
            index = SeenIndex(Path(folder), 2, Exact().settings())
            assert [keys.tolist() for keys in index.chunks(range(index.count))] == [[[0, 0]]]


def test_a_folder_of_something_else_is_no_index(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match="no index"):
        find(corpus_of(["a"]), Exact(), tmp_path / "work", index=tmp_path)
