"""Selections: what suits a target, in shares, within limits, the same however it is carried out."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from openhearth.data import read
from openhearth.data.executors import Threads
from openhearth.data.schema import Corpus, document
from openhearth.data.select import Selection, SelectRecipe, select
from openhearth.data.signals import compute
from openhearth.errors import UsageError
from tests.data.select.corpora import corpus_of, documents

CATS = corpus_of(documents(20, seed=9, topics=["cats"]), name="cats")
CODE = corpus_of(documents(20, seed=8, topics=["code"]), name="code")


def ids(selection: Selection) -> list[str]:
    return [i for f in selection.report.files for i in pq.read_table(f)["id"].to_pylist()]


def topics(selection: Selection) -> Counter[str]:
    return Counter(identity.split("-")[0] for identity in ids(selection))


def test_documents_that_suit_the_target_are_selected(tmp_path: Path) -> None:
    corpus = corpus_of(documents(90))
    recipe = SelectRecipe(n=30)
    found = select(corpus, {"cats": CATS}, recipe, tmp_path)
    assert topics(found) == {"cats": 30}
    assert found.choice.chosen == {"target": 30}
    assert (found.choice.documents, found.choice.eligible) == (90, 90)
    everything = [row["id"] for batch in corpus.batches() for row in batch.to_pylist()]
    assert ids(found) == [identity for identity in everything if identity in set(ids(found))]


def test_the_choice_is_the_same_for_any_number_of_threads_and_parts(tmp_path: Path) -> None:
    rows = documents(200)
    recipe = SelectRecipe(n=50, per_word=True, temperature=0.2, seed=3)
    first = ids(select(corpus_of(rows), {"cats": CATS}, recipe, tmp_path / "0", Threads(1)))
    assert len(set(first)) == 50
    for threads, parts, block in ((2, 3, 7), (5, 3, 7), (2, 11, 4)):
        corpus = corpus_of(rows, parts, block)
        work = tmp_path / f"{threads}-{parts}"
        assert ids(select(corpus, {"cats": CATS}, recipe, work, Threads(threads))) == first


def test_another_seed_draws_others_from_the_same_scores(tmp_path: Path) -> None:
    corpus = corpus_of(documents(200))
    recipe = {"n": 50, "per_word": True}
    first = select(corpus, {"cats": CATS}, SelectRecipe(**recipe), tmp_path)
    times = {path: path.stat().st_mtime_ns for path in tmp_path.glob("scores-*/*")}
    second = select(corpus, {"cats": CATS}, SelectRecipe(**recipe, seed=1), tmp_path)
    assert ids(first) != ids(second)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.glob("scores-*/*")} == times


def test_temperature_leaves_more_or_less_to_chance(tmp_path: Path) -> None:
    corpus = corpus_of(documents(300))
    cats = []
    for temperature in (0, 0.1, 1, 1000):
        recipe = SelectRecipe(n=60, per_word=True, temperature=temperature)
        cats.append(topics(select(corpus, {"cats": CATS}, recipe, tmp_path))["cats"])
    assert cats == sorted(cats, reverse=True)
    assert cats[0] == 60
    assert 10 < cats[-1] < 30  # a third of 60, but for chance


def test_separate_targets_get_their_shares_and_no_document_twice(tmp_path: Path) -> None:
    corpus = corpus_of(documents(120))
    targets = {"cats": CATS, "code": CODE}
    recipe = SelectRecipe(n=40, separate=True, shares={"cats": 3, "code": 1})
    found = select(corpus, targets, recipe, tmp_path)
    assert found.choice.chosen == {"cats": 30, "code": 10}
    assert topics(found) == {"cats": 30, "code": 10}
    assert len(set(ids(found))) == 40
    equal = select(corpus, {"a": CATS, "b": CATS}, SelectRecipe(n=20, separate=True), tmp_path)
    assert equal.choice.chosen == {"a": 10, "b": 10}
    assert len(set(ids(equal))) == 20


@pytest.mark.parametrize(
    ("cap", "per", "most"), [(5, "source", 5), (0.25, "source", 5), (2, "metadata:cluster", 2)]
)
def test_no_more_than_the_cap_come_from_one_group(
    tmp_path: Path, cap: float, per: str, most: int
) -> None:
    rows = documents(120)
    recipe = SelectRecipe(n=20, cap=cap, per=per)
    found = select(corpus_of(rows), {"cats": CATS}, recipe, tmp_path)
    if per == "source":
        assert topics(found) == {"cats": most, "code": most, "money": most}  # three sources in all
    else:
        groups = Counter(int(identity.split("-")[1]) % 10 for identity in ids(found))
        assert set(groups.values()) == {most}


def test_the_cap_holds_over_separate_targets(tmp_path: Path) -> None:
    corpus = corpus_of(documents(120))
    recipe = SelectRecipe(n=20, cap=8, separate=True)
    found = select(corpus, {"a": CATS, "b": CATS}, recipe, tmp_path)
    assert topics(found)["cats"] == 8


def test_domains_are_those_of_urls(tmp_path: Path) -> None:
    urls = ["https://www.a.org/1", "http://a.org:80/2", "https://b.org", "http://[", ""]
    rows = [document(f"d{i}", "a cat", "s") | {"url": urls[i % 5]} for i in range(25)]
    recipe = SelectRecipe(n=25, method="random", cap=2, per="domain")
    found = select(corpus_of(rows), {}, recipe, tmp_path)
    chosen = Counter(int(identity[1:]) % 5 for identity in ids(found))
    assert chosen[0] + chosen[1] == 2  # the same domain
    assert chosen[2] == 2
    assert chosen[3] + chosen[4] == 2  # none


def test_length_limits_and_empty_documents(tmp_path: Path) -> None:
    rows = documents(90) + [document(f"empty-{i}", " \n", "x") for i in range(9)]
    words = {row["id"]: len(row["text"].split()) for row in rows}
    for method in ("dsir", "random"):
        recipe = SelectRecipe(n=200, method=method, min_words=40, max_words=60)
        found = select(corpus_of(rows), {"cats": CATS}, recipe, tmp_path)
        assert set(ids(found)) == {i for i, count in words.items() if 40 <= count <= 60}
    everything = select(corpus_of(rows), {"cats": CATS}, SelectRecipe(n=200), tmp_path)
    assert everything.choice.eligible == 90
    with pytest.raises(UsageError, match="None of the 99 documents"):
        select(corpus_of(rows), {"cats": CATS}, SelectRecipe(n=5, min_words=9999), tmp_path)


def test_the_top_by_a_signal(tmp_path: Path) -> None:
    rows = documents(60)
    name = "rps_doc_frac_unique_words"
    values = compute([row["text"] for row in rows], [name]).column(name).to_pylist()
    recipe = SelectRecipe(n=10, method="top", signal=name)
    found = ids(select(corpus_of(rows), {}, recipe, tmp_path))
    order = sorted(range(60), key=lambda i: (-values[i], i))[:10]
    assert found == [rows[i]["id"] for i in sorted(order)]


def test_random_takes_all_alike(tmp_path: Path) -> None:
    corpus = corpus_of(documents(300))
    found = select(corpus, {}, SelectRecipe(n=150, method="random"), tmp_path)
    assert len(set(ids(found))) == 150
    assert all(35 < count < 65 for count in topics(found).values())


def test_real_code_of_the_target_is_found(tmp_path: Path) -> None:
    """Of four packages' modules, those like click's, by far most of which are click's."""
    corpus = read("python:click,numpy,hypothesis,pytest")
    sources = [s for batch in corpus.batches() for s in batch["source"].to_pylist()]
    count = sources.count("click")
    recipe = SelectRecipe(n=count, per_word=True, temperature=0.01)
    found = select(corpus, {"click": read("python:click")}, recipe, tmp_path)
    selected = [s for batch in found.corpus.batches() for s in batch["source"].to_pylist()]
    assert count < len(sources) / 4
    assert selected.count("click") > 0.7 * count


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        ({"n": 0}, "wrong at n"),
        ({"n": 5, "method": "best"}, "wrong at method"),
        ({"n": 5, "method": "top"}, 'method "top" goes with a signal'),
        ({"n": 5, "method": "top", "signal": "rps_lines_num_words"}, "no signal of documents"),
        ({"n": 5, "shares": {"a": 1}}, "set separate too"),
        ({"n": 5, "per": "colour"}, "wrong at per"),
        ({"n": 5, "temperature": -1}, "wrong at temperature"),
    ],
)
def test_wrong_recipes_say_where(raw: dict, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        SelectRecipe.parse(raw)


def test_targets_must_fit(tmp_path: Path) -> None:
    corpus = corpus_of(documents(9))
    with pytest.raises(UsageError, match="compares documents with a target"):
        select(corpus, {}, SelectRecipe(n=1), tmp_path)
    recipe = SelectRecipe(n=1, separate=True, shares={"dogs": 1})
    with pytest.raises(UsageError, match="shares must be of the targets, which are cats"):
        select(corpus, {"cats": CATS}, recipe, tmp_path)
    empty = Corpus("nothing", "", [])
    with pytest.raises(UsageError, match="target has no words"):
        select(corpus, {"empty": empty}, SelectRecipe(n=1), tmp_path)


KILLED = """
import sys
from pathlib import Path
from openhearth.data.select import SelectRecipe, select
from tests.data.select.corpora import corpus_of, documents
from tests.killed import at_marker

at_marker(int(sys.argv[2]))
cats = corpus_of(documents(20, seed=9, topics=["cats"]), name="cats")
recipe = SelectRecipe(n=100, per_word=True)
select(corpus_of(documents(900), parts=30), {"cats": cats}, recipe, Path(sys.argv[1]))
"""


@pytest.mark.system
@pytest.mark.parametrize("parts", [5, 40, 70])
def test_a_killed_selection_goes_on_to_the_same_choice(tmp_path: Path, parts: int) -> None:
    """kill -9 while it counts, scores and keeps: each of these is of 30 parts; then again."""
    command = [sys.executable, "-c", KILLED, str(tmp_path / "work"), str(parts)]
    killed = subprocess.run(command, cwd=Path(__file__).parents[3], check=False)
    assert killed.returncode == -signal.SIGKILL
    before = {p: p.stat().st_mtime_ns for p in tmp_path.glob("work/*/*.done")}
    corpus, recipe = corpus_of(documents(900), parts=30), SelectRecipe(n=100, per_word=True)
    resumed = select(corpus, {"cats": CATS}, recipe, tmp_path / "work")
    assert all(path.stat().st_mtime_ns == time_ for path, time_ in before.items())
    assert ids(resumed) == ids(select(corpus, {"cats": CATS}, recipe, tmp_path / "other"))
