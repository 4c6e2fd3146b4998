"""`hearth keys`: keys in the database of the home, which the server accepts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from openhearth.cli import keys
from openhearth.platform.accounts import Accounts
from openhearth.platform.caller import SCOPES, Caller, Limits
from openhearth.platform.database import database_of


def check(home: Path, key: str) -> Caller | None:
    database = database_of(home)
    try:
        return Accounts(database).check(key)
    finally:
        database.close()


def test_a_key_is_made_listed_and_revoked(hearth: Any, home: Path) -> None:
    made = hearth(
        "keys", "create", "--name", "app", "--scope", "inference", "--scope", "usage",
        "--rpm", "60", "--tpm", "1000", "--cap", "2.50", "--json",
    ).json  # fmt: skip
    caller = check(home, made["key"])
    assert caller
    assert (caller.key, caller.scopes) == (made["id"], {"inference", "usage"})
    assert caller.limits == Limits(60, 1000, 250_000_000)

    (row,) = hearth("keys", "list", "--json").json
    assert row["name"] == "app"
    assert row["last_used"]
    assert "key" not in row
    shown = hearth("keys", "list").out
    assert made["key"] not in shown
    assert "2.50" in shown

    assert hearth("keys", "revoke", made["id"], "--json").json == {"revoked": [made["id"]]}
    assert check(home, made["key"]) is None
    assert hearth("keys", "list", "--json").json == []


def test_a_key_may_do_everything_unless_told_otherwise(hearth: Any, home: Path) -> None:
    out = hearth("keys", "create").out
    caller = check(home, out.split()[-1])
    assert caller
    assert "admin" in caller.scopes
    assert caller.limits == Limits()


def test_revoking_by_name(hearth: Any) -> None:
    for _ in range(2):
        hearth("keys", "create", "--name", "same")
    assert len(hearth("keys", "revoke", "same", "--json").json["revoked"]) == 2
    result = hearth("keys", "revoke", "same")
    assert (result.code, "hearth keys list" in result.err) == (3, True)


@pytest.mark.parametrize("cap", ["free", "-1", "1e30", "NaN", "Infinity"])
def test_amounts_that_are_none(cap: str, hearth: Any) -> None:
    result = hearth("keys", "create", "--cap", cap)
    assert (result.code, "is no amount" in result.err) == (2, True)


def test_an_amount_that_is_too_fine(hearth: Any) -> None:
    result = hearth("keys", "create", "--cap", "0.000000001")
    assert (result.code, "at most 8 decimals" in result.err) == (2, True)


def test_another_database(hearth: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENHEARTH_DATABASE", f"sqlite:///{tmp_path / 'other.db'}")
    hearth("keys", "create")
    assert (tmp_path / "other.db").exists()
    monkeypatch.setenv("OPENHEARTH_DATABASE", "mysql://a@b/c")
    assert hearth("keys", "list").code == 2


def test_the_scopes_are_those_of_the_platform() -> None:
    assert set(keys.SCOPES) == SCOPES
