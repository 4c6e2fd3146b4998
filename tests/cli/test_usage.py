"""`hearth usage` and `hearth prices` over books of a few requests."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import Any

import pytest

from openhearth.platform.database import Database
from openhearth.platform.ledger import KINDS
from tests.platform.ledger.conftest import Books

NEW = '["*"]\n' + "\n".join(f"{kind} = 300" for kind in KINDS)


@pytest.fixture
def totals(home: Path) -> list[int]:
    """What three requests were charged, in the books of this home."""
    home.mkdir()
    with contextlib.closing(Database.open(home / "platform.db")) as database:
        books = Books(database)
        books.grant(10**8)
        for number in range(3):
            books.hold(f"r{number}", 10**5, key=f"key_{number % 2}", model="tiny")
        books.grant(500, "org_b")
        counts = [{"input": 10, "output": number} for number in range(3)]
        found = [books.settle(f"r{number}", counts[number]).total for number in range(3)]
        books.hold("open", 70)
        books.ledger.close()
    return found


def test_usage_agrees_with_the_receipts(totals: list[int], hearth: Any) -> None:
    for by, names in (
        ("day", [time.strftime("%Y-%m-%d", time.gmtime())]),
        ("model", ["tiny"]),
        ("key", ["key_0", "key_1"]),
    ):
        report = hearth("usage", "--by", by, "--json").json
        own, other = report["organisations"]
        assert (own["organisation"], other["organisation"]) == ("org_a", "org_b")
        assert (own["balance_units"], own["held_units"]) == (10**8 - sum(totals), 70)
        assert [row[by] for row in own["usage"]] == names
        assert sum(row["cost_units"] for row in own["usage"]) == sum(totals) == 420
        assert sum(row["tokens"] for row in own["usage"]) == 33
        assert other["usage"] == []


def test_usage_as_text(totals: list[int], hearth: Any) -> None:
    lines = hearth("usage", "--by", "model", "--organisation", "org_a").out.splitlines()
    assert lines[0] == "org_a: 0.9999958 credits, 0.0000007 of them held"
    assert lines[-1].split() == ["tiny", "33", "0.0000042"]
    assert hearth("usage", "--month", "2020-01", "--organisation", "org_b").out.count("\n") == 1


def test_usage_without_anybody_says_how_to_begin(hearth: Any) -> None:
    assert "hearth up" in hearth("usage").out


@pytest.mark.parametrize("month", ["2026", "2026-13", "x"])
def test_what_is_no_month_is_said(month: str, hearth: Any) -> None:
    result = hearth("usage", "--month", month)
    assert result.code == 2
    assert "no month" in result.err


def test_prices_are_shown_and_set(tmp_path: Path, hearth: Any) -> None:
    shown = hearth("prices").out
    assert "Version 1" in shown
    assert shown.splitlines()[-1].split() == ["*", "0.10", "0.05", "0.40", "0.50", "0.02"]
    file = tmp_path / "prices.toml"
    file.write_text(NEW)
    assert hearth("prices", str(file), "--json").json["prices"] == {"*": dict.fromkeys(KINDS, 300)}
    assert "3.00" in hearth("prices").out
    later = hearth("prices", str(file), "--from", "2999-01-01", "--json").json
    assert later["version"] == 3
    assert hearth("prices", "--json").json["version"] == 2


def test_wrong_prices_are_said(tmp_path: Path, hearth: Any) -> None:
    file = tmp_path / "prices.toml"
    file.write_text("[tiny]\ninput = 3")
    for arguments, says in (
        ([str(file)], "are missing"),
        (["--from", "2999-01-01"], "name the FILE"),
        ([str(file), "--from", "soon"], "no time"),
    ):
        result = hearth("prices", *arguments)
        assert result.code == 2
        assert says in result.err
