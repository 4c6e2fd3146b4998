"""The protocol and the code say the same: each rule is carried out, or is for people."""

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from openhearth.bench.recipe import PROTOCOL

ROOT = Path(__file__).parents[2]
RULE = re.compile(r"^(\d+)\. (.*?)(?=^\d+\. |^## |\Z)", re.MULTILINE | re.DOTALL)
NAMED = re.compile(r"\brules? ((?:\d+(?:, | and | to )?)+)")


def rules() -> dict[int, str]:
    """Number and text of each."""
    page = (ROOT / "docs/reference/benchmark-protocol.md").read_text()
    assert f"protocol, version {PROTOCOL}\n" in page
    return {int(number): text for number, text in RULE.findall(page.partition("\n## J.")[0])}


def named() -> set[int]:
    """Those that the code names, in which `14 to 30` are all of them."""
    folders = ("src/openhearth/bench", "src/openhearth/cli/bench")
    found: set[int] = set()
    for path in (path for folder in folders for path in (ROOT / folder).rglob("*.py")):
        for told in NAMED.findall(path.read_text()):
            found |= set(_numbers(re.findall(r"\d+|to", told)))
    return found


def _numbers(words: list[str]) -> Iterator[int]:
    yield from (int(word) for word in words if word != "to")
    for (before, word), after in zip(pairwise(words), words[2:], strict=False):
        if word == "to":
            yield from range(int(before), int(after))


def test_rules_are_numbered_without_a_gap() -> None:
    assert list(rules()) == list(range(1, len(rules()) + 1))
    assert len(rules()) >= 48


def test_each_rule_is_carried_out_or_for_people() -> None:
    by_code = {number for number, text in rules().items() if "*(procedure" not in text}
    assert by_code - named() == set()


def test_the_code_names_no_rule_that_is_none() -> None:
    assert named() - set(rules()) == set()
