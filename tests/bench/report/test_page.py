"""The page says what was found, and nothing in a report gets out of its text."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from html.parser import HTMLParser

import pytest

from openhearth.bench.gate.verdict import Quality
from openhearth.bench.records import Failure
from openhearth.bench.report import words
from openhearth.bench.report.disclosure import Role
from openhearth.bench.report.figures import Measurement, figures
from openhearth.bench.report.page import findings, page
from tests.bench import builders

EVIL = (
    "</title><script>alert(1)</script><img src=//evil.example/x onerror=alert(1)>{{7*7}}$\\frac{'"
)
VOID = {"meta", "br", "img", "link", "input", "hr"}


class Read(HTMLParser):
    """The elements of a page, their attributes, its text, and whether all are closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text += " ".join(data.split()) + " "


def shown(make: Callable[[], Measurement]) -> Read:
    return Read(page(make().disclosure, builders.figured(make)).decode())


@cache
def a_monitor() -> Measurement:
    return builders.a_monitor(9)


MAKERS: list[Callable[[], Measurement]] = [
    builders.a_run, builders.broken_off, builders.a_comparison, builders.a_gated_run,
    builders.a_sweep, a_monitor,
]  # fmt: skip


@pytest.mark.parametrize("make", MAKERS)
def test_a_page_is_whole_and_loads_nothing(make: Callable[[], Measurement]) -> None:
    read = shown(make)
    assert read.open == []
    assert not {"script", "img", "link", "iframe", "object"} & set(read.elements)
    loads = [v for n, v in read.attributes if n in ("src", "href", "xlink:href", "action", "data")]
    assert all(value.startswith("#") for value in loads)
    assert not [name for name, _ in read.attributes if name.startswith("on")]
    assert ("http-equiv", "Content-Security-Policy") in read.attributes
    for text in ("protocol 1", "Findings", "Disclosure", "None", "nan", "Undefined"):
        assert (text in read.text) == (text not in ("nan", "Undefined")) or text == "None"


def test_what_rule_2_wants_is_told_together() -> None:
    (entry,) = builders.figured(builders.a_sweep)["entries"]
    text = shown(builders.a_sweep).text
    head = text[: text.index("Findings")]
    assert f"{words.number(entry['capacity']['rate'])} requests/s" in head
    assert words.dollars(entry["cost"]["per_million_useful"]) in head
    assert "ungated" in head
    assert "2025-06-15" in head
    assert "protocol 1" in head
    assert "Time to first token by rate" in text
    assert "Requests that met the objective by rate" in text


def test_what_is_missing_is_said() -> None:
    text = shown(builders.broken_off).text
    for missing in ("Partial.", "no prices", "Not gated", "no capacity was searched", "not ranked"):
        assert missing in text
    assert "broken_off" in text
    assert words.ERRORS["broken_off"] in text


def test_a_comparison_has_ratios_and_a_frontier() -> None:
    text = shown(builders.a_comparison).text
    assert "B against A" in text
    assert "differs" in text
    assert "Price and performance" in text


def test_a_monitor_has_its_hours_and_errors() -> None:
    text = shown(a_monitor).text
    for there in ("Over time", "The worst six hours", "Monday", words.ERRORS["rate_limit"]):
        assert there in text


def test_a_gate_is_told_with_its_power() -> None:
    text = shown(builders.a_gated_run).text
    for there in ("equivalent", "two samples", "stored answers", "cut answers", "detectable"):
        assert there in text


def test_hostile_text_stays_text() -> None:
    made = builders.session(
        builders.GATED.model_copy(update={"about": EVIL}),
        [builders.Server(answer=lambda ask: EVIL, fails_every=5)] * 2,
        sheets=(builders.LISTED.model_copy(update={"source": EVIL}),),
        model=EVIL, url=EVIL, system=EVIL, stake=EVIL, approximations=(EVIL,),
    )  # fmt: skip
    builders.runs.compare(made, 2)
    for record in made.records:
        record.detail = EVIL
    hostile = builders.measurement(made, reference=made.records[:1], beacon=EVIL)
    client = hostile.disclosure.client.model_copy(
        update={"machine": EVIL, "place": EVIL, "software": {EVIL: EVIL}, "time_zone": EVIL}
    )
    told = hostile.disclosure.model_copy(update={"client": client, "reference": EVIL})
    text = page(told, figures(hostile)).decode()
    assert not {"script", "img"} & set(Read(text).elements)
    assert "<script" not in text
    assert "{{7*7}}" in text  # is not a template


def test_findings_are_those_of_loads_that_speak() -> None:
    found = builders.figured(builders.a_sweep)
    rules = {rule for point in found["points"] for rule in point["findings"]}
    assert "rule 17" in rules
    told = findings(found)
    headline = found["entries"][0]["headline"]
    assert {one.where for one in told} == {f"point {headline + 1}"}
    assert [one.rule for one in findings(builders.figured(builders.broken_off))] == [
        "rule 17",
        "rule 58",
    ]


def test_there_are_words_for_all_that_can_be_found() -> None:
    assert set(words.ERRORS) == set(Failure)
    assert set(words.ROLES) == set(Role.__args__)
    assert set(words.CLASSES) == {*Quality.__args__, "ungated"}


def test_numbers_are_read_by_people() -> None:
    assert [words.number(v) for v in (None, 0, 1.2345, 1234.5, 1e-5)] == [
        "∞", "0", "1.23", "1,234", "1.00e-05",
    ]  # fmt: skip
    assert [words.percent(v) for v in (0.5, 0.9996)] == ["50 %", "99.96 %"]
    assert [words.dollars(v) for v in (None, 0.00123, 1234.5)] == ["-", "$0.00123", "$1,234.50"]
    assert re.fullmatch(r"2025-06-15 15:06 UTC", words.moment(builders.BEGAN))
