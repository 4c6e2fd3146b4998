"""What a gateway opens: credits to begin with, given once, and the keys that a start brings."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from openhearth.platform import access
from openhearth.platform.accounts import Accounts, Home, api_keys, organisations, users
from openhearth.platform.caller import Caller
from openhearth.platform.database import Database
from openhearth.platform.errors import ApiError
from openhearth.platform.gateway import LOCAL, PROJECTS, admit, main, opened, rights
from openhearth.platform.jobs import Jobs
from openhearth.platform.keys import FIRST_KEY, LOCAL_KEY, OWN_KEY, fresh_key
from openhearth.store import Store

FREE = 2_500_000_000


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENHEARTH_HOME", str(tmp_path))
    for name in (FIRST_KEY, LOCAL_KEY, OWN_KEY):
        monkeypatch.delenv(name, raising=False)


def wealth(database: Database, free: int = FREE) -> int:
    with opened(database, Store(), free) as services:
        return asyncio.run(services.ledger.balance(services.operator)).owned


def test_an_organisation_begins_with_free_credits_once(database: Database) -> None:
    assert [wealth(database) for _ in range(3)] == [FREE] * 3
    with opened(database, Store(), FREE) as services:
        joined = services.accounts.sign_up("a@example.org", "correct horse", "A")
        assert joined
        balance = asyncio.run(services.ledger.balance(joined.home.organisation))
        assert balance.owned == FREE
        assert asyncio.run(services.ledger.check_books()) == []


def test_one_that_a_command_made_before_gets_them_too(database: Database) -> None:
    accounts = Accounts(database)
    with accounts.changing() as connection:
        accounts.local(connection)
    assert wealth(database) == FREE


def test_there_may_be_none(database: Database) -> None:
    assert wealth(database, 0) == 0


def test_the_first_start_brings_a_key_for_good_and_each_one_for_commands(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    accounts, keys = Accounts(database), [fresh_key() for _ in range(4)]
    for first, local in (keys[:2], keys[2:]):
        monkeypatch.setenv(FIRST_KEY, first)
        monkeypatch.setenv(LOCAL_KEY, local)
        admit(accounts)
    admit(accounts)  # a gateway that was started again
    assert [accounts.check(key) is not None for key in keys] == [True, False, False, True]
    with database.reading() as connection:
        from sqlalchemy import select

        from openhearth.platform.accounts.tables import api_keys

        working = select(api_keys.c.name).where(api_keys.c.revoked.is_(None))
        assert set(connection.execute(working).scalars()) == {"first", LOCAL}


def test_the_key_for_commands_is_another_secret_with_the_same_id(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that jobs which were made with it go on after a restart."""
    ids, secrets = [], [fresh_key(), fresh_key()]
    for secret in secrets:
        accounts = Accounts(database)
        monkeypatch.setenv(LOCAL_KEY, secret)
        admit(accounts)
        ids.append(_caller(accounts, secret).key)
    assert ids[0] == ids[1]
    assert accounts.check(secrets[0]) is None
    with database.reading() as connection:
        found = api_keys.get(connection, _caller(accounts, secrets[1]).organisation, ids[1])
    assert found
    assert found.hint.endswith(secrets[1][-4:])


def test_the_key_for_commands_that_was_revoked_stays_so_until_the_next_start(
    database: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    accounts, first, second = Accounts(database), fresh_key(), fresh_key()
    monkeypatch.setenv(LOCAL_KEY, first)
    admit(accounts)
    caller = _caller(accounts, first)
    with accounts.changing() as connection:
        api_keys.revoke(connection, caller.organisation, caller.key)
    monkeypatch.setenv(LOCAL_KEY, first)
    admit(accounts)  # a gateway that was started again
    assert "revoked" in caplog.text
    assert accounts.check(first) is None
    monkeypatch.setenv(LOCAL_KEY, second)
    admit(accounts)
    assert _caller(accounts, second).key != caller.key
    assert accounts.check(first) is None


def _caller(accounts: Accounts, secret: str) -> Caller:
    caller = accounts.check(secret)
    assert caller
    return caller


def may(caller: Caller, path: str) -> bool:
    try:
        access.admit(caller, "POST", path)
    except ApiError:
        return False
    return True


@pytest.mark.parametrize("end", ["revoke", "expire", "archive", "expel", "demote", "nothing"])
def test_a_job_may_hand_in_whatever_became_of_the_key_that_made_it(
    database: Database, end: str
) -> None:
    """And ask until it is cancelled, but not administer; readers never ask."""
    accounts, jobs = Accounts(database), Jobs(database)
    with accounts.changing() as connection:
        home = accounts.local(connection)
        member = users.create(connection, "member@example.org", "Member", None)
        assert member
        organisations.let_in(connection, home.organisation, member.id, "owner")
        key, secret = Home(member, home.organisation, home.project).key(connection, "test")
    job = jobs.create("batch", {}, caller=_caller(accounts, secret))
    with accounts.changing() as connection:
        if end == "revoke":
            api_keys.revoke(connection, home.organisation, key.id)
        if end == "expire":
            api_keys.change(connection, home.organisation, key.id, expires=1)
        if end == "archive":
            organisations.change_project(connection, home.organisation, home.project, archived=1)
        if end == "expel":
            organisations.expel(connection, home.organisation, member.id)
        if end == "demote":
            organisations.set_role(connection, home.organisation, member.id, "reader")
    assert accounts.working({key.id, "key_of_nobody"}) == (
        {key.id} if end in ("demote", "nothing") else set()
    )
    caller = rights(accounts, job)
    assert caller
    assert (caller.key, caller.project) == (key.id, home.project)
    assert may(caller, "/v1/files")
    assert may(caller, "/v1/chat/completions") == (end != "demote")
    assert not may(caller, "/v1/organization/api_keys")


def test_a_key_of_the_users_own_is_the_first(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    accounts, first = Accounts(database), fresh_key()
    monkeypatch.setenv(OWN_KEY, "chosen-by-the-user-001")
    monkeypatch.setenv(FIRST_KEY, first)
    admit(accounts)
    assert accounts.check("chosen-by-the-user-001")
    assert accounts.check(first) is None


def test_a_revoked_key_of_the_users_own_is_told_of_and_all_others_work(
    database: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    accounts, local = Accounts(database), fresh_key()
    monkeypatch.setenv(OWN_KEY, "chosen-by-the-user-001")
    admit(accounts)
    caller = accounts.check("chosen-by-the-user-001")
    assert caller
    with accounts.changing() as connection:
        api_keys.revoke(connection, caller.organisation, caller.key)
    monkeypatch.setenv(LOCAL_KEY, local)
    admit(accounts)
    assert "revoked" in caplog.text
    assert accounts.check("chosen-by-the-user-001") is None
    assert accounts.check(local)


def test_what_a_crash_left_is_swept_at_the_start(kept: Database, tmp_path: Path) -> None:
    left = tmp_path / "cache" / "archives" / "part-dead"
    left.mkdir(parents=True)
    with opened(kept, Store(), 0):
        assert not left.exists()


def test_whoever_runs_it_says_how_many_projects_there_may_be(
    kept: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PROJECTS, "7")
    words = ["--bus", "nats://x", "--listener", "3", "--local", "4"]
    told = main.make_context("gateway", words).params
    with opened(kept, Store(), 0, projects=told["projects"]) as services:
        assert services.accounts.most_projects == 7
