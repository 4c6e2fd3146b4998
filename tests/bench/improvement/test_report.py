"""The page and the summary of a run: the fixed names, every part, and nothing unescaped."""

from __future__ import annotations

import dataclasses
import html.parser
import json
import sys
from pathlib import Path

import pytest

from openhearth.bench import Comparison
from openhearth.bench.improvement.report import Package, Report, Sample, write_report
from openhearth.bench.measures import PointMeasures, measure
from openhearth.bench.measures.tokens import ByBytes
from openhearth.bench.recipe import Callers, Recipe
from openhearth.errors import MissingExtra
from tests.bench.measures.build import record

EVIL = "<script>alert('x')</script>"
EXAMPLE = {"id": EVIL, "value": 3, "text": EVIL}


def level(callers: int) -> PointMeasures:
    """Of two requests the second is due in the last two thirds of 0.375 s, with all its tokens."""
    records = [record(0.0, (0.0625, 1)), record(0.25, (0.0625, 8 * callers), ended=0.375)]
    load = Callers(arrivals="callers", callers=callers)
    recipe = Recipe(name="demo", workloads={"chat": 1}, load=load)
    return measure(records, recipe, ByBytes(), seconds=60)


REPORT = Report(
    title="A report",
    base="base",
    adapter=EVIL,
    machine="a machine",
    funnel=[{"name": "words", "kept": 8, "removed": 2, "examples": [EXAMPLE]}],
    losses=[3.0, 2.5, 2.0],
    train_tokens=300,
    train_tokens_per_s=123.4,
    bits=Comparison(1.2, 1.0, (0.95, 1.05), 7, 40),
    overlap=Comparison(0.1, 0.2, (0.15, 0.25), 7, 20),
    serving={callers: level(callers) for callers in (1, 4, 16)},
    samples=[Sample("pkg", EVIL, EVIL, EVIL, EVIL)],
    lineage={"digest": "d", "kind": "adapter", "inputs": {}},
    lineage_tree=f"adapter d {EVIL}",
    packages=[Package("a", "MIT", EVIL, 5), Package("b", "", "", 3), Package("c", "MIT", "", 1)],
    stages=[("curate", 12.0)],
)


class Page(html.parser.HTMLParser):
    """The tags and the words of a page; fails on a tag closed twice or never."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.words = ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)
        if tag not in ("meta", "link", "br", "path", "use"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in ("path", "use"):
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_report(tmp_path_factory.mktemp("report"), REPORT).read_text()


def test_the_summary_has_the_fixed_names(tmp_path: Path) -> None:
    write_report(tmp_path, REPORT)
    summary = json.loads((tmp_path / "summary.json").read_text())
    lineage = summary.pop("lineage")
    assert summary == {
        "base_bpb": 1.2,
        "tuned_bpb": 1.0,
        "tuned_bpb_ci": [0.95, 1.05],
        "heldout_packages": 7,
        "train_tokens_per_s": 123.4,
        "ttft_ms": 62.5,
        "tokens_per_s": {"1": 32, "4": 128, "16": 512},
    }
    assert lineage["digest"] == "d"
    assert lineage["sources"][0] == {
        "source": "a", "license": "MIT", "creator": EVIL, "documents": 5,
    }  # fmt: skip


def test_the_page_shows_every_part_and_three_plots(text: str) -> None:
    page = Page(text)
    assert page.tags.count("svg") == 3
    for words in ("1.200 → 1.000", "0.100 → 0.200", "A report", "a machine", "Curate", "Account"):
        assert words in page.words
    assert "better on 7 held-out sources" in page.words


def test_text_from_the_corpus_cannot_become_markup(text: str) -> None:
    assert "script" not in Page(text).tags
    assert Page(text).words.count(EVIL) >= 7


def test_the_page_needs_nothing_from_elsewhere(text: str) -> None:
    assert " src=" not in text
    assert "@import" not in text
    assert 'href="http' not in text


def test_licences_are_counted_in_documents() -> None:
    assert REPORT.licenses == [("MIT", 6), ("none named", 3)]


@pytest.mark.parametrize(("base", "better"), [(1.06, True), (1.05, False), (0.9, False)])
def test_better_means_beyond_the_interval(base: float, better: bool, tmp_path: Path) -> None:
    report = dataclasses.replace(REPORT, bits=dataclasses.replace(REPORT.bits, base=base))
    assert report.better is better
    words = Page(write_report(tmp_path, report).read_text()).words
    assert ("not better" in " ".join(words.split())) is not better


def test_a_missing_plot_library_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingExtra, match=r"openhearth\[report\]"):
        write_report(tmp_path, REPORT)
    assert list(tmp_path.iterdir()) == []
