"""Keys from the inside: the first start, what is remembered, and when a key stops working."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from openhearth.errors import UsageError
from openhearth.platform.accounts import Accounts, Home, KeyRevoked, api_keys, organisations, users
from openhearth.platform.caller import ALLOWED, Caller, Limits
from openhearth.platform.database import Database


@pytest.fixture
def home(accounts: Accounts) -> Home:
    """The owner of this machine, at home."""
    with accounts.changing() as connection:
        return accounts.local(connection)


def new_key(accounts: Accounts, home: Home, **settings: Any) -> tuple[api_keys.Key, str]:
    with accounts.changing() as connection:
        return home.key(connection, "test", **settings)


def test_the_first_start_makes_an_owner_and_a_key_and_no_later_one_does(
    accounts: Accounts,
) -> None:
    secret = accounts.first_start()
    assert secret
    assert secret.startswith("oh-")
    assert accounts.first_start() is None
    caller = Accounts(accounts.database).check(secret)
    assert caller
    assert (caller.role, caller.scopes, caller.limits) == ("owner", ALLOWED["owner"], Limits())
    assert caller.tenant == caller.project
    assert caller.user


def test_starts_at_the_same_time_make_one_key(database: Database) -> None:
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda _: Accounts(database).first_start(), range(4)))
    assert sum(secret is not None for secret in made) == 1


def test_a_key_has_its_scopes_and_limits(accounts: Accounts, home: Home) -> None:
    limits = Limits(60, 1000, 5)
    key, secret = new_key(accounts, home, scopes={"files", "jobs"}, limits=limits)
    assert accounts.check(secret) == Caller(
        key.id,
        home.project,
        home.organisation,
        home.user.id,
        "owner",
        frozenset({"files", "jobs"}),
        limits,
    )


def test_a_revoked_key_stops_at_once(accounts: Accounts, home: Home) -> None:
    key, secret = new_key(accounts, home)
    assert accounts.check(secret)
    assert not accounts.is_slow_to_check(secret)
    with accounts.changing() as connection:
        assert api_keys.revoke(connection, home.organisation, key.id)
        assert not api_keys.revoke(connection, home.organisation, key.id)
    assert accounts.check(secret) is None


def test_what_another_process_revokes_stops_when_it_is_looked_up_again(
    accounts: Accounts, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, secret = new_key(accounts, home)
    other = Accounts(accounts.database)
    monkeypatch.setattr("openhearth.platform.accounts.accounts.FRESH", 0.0)
    assert other.check(secret)
    with accounts.changing() as connection:
        api_keys.revoke(connection, home.organisation, key.id)
    assert other.check(secret) is None


def test_a_key_revoked_while_it_is_looked_up_does_not_come_back(
    accounts: Accounts, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, secret = new_key(accounts, home)
    find = api_keys.find

    def find_too_early(connection: sa.Connection, sha256: str) -> Any:
        found = find(connection, sha256)
        with accounts.changing() as other:
            api_keys.revoke(other, home.organisation, key.id)
        return found

    monkeypatch.setattr(api_keys, "find", find_too_early)
    assert accounts.check(secret)  # it began before the key was revoked
    assert accounts.check(secret) is None


def test_keys_end_with_their_time_their_project_and_their_user(
    accounts: Accounts, home: Home
) -> None:
    _, expired = new_key(accounts, home, expires=1)
    assert accounts.check(expired) is None

    with accounts.changing() as connection:
        member = users.create(connection, "member@example.org", "Member", None)
        assert member
        organisations.let_in(connection, home.organisation, member.id, "member")
        project = organisations.create_project(connection, home.organisation, "Other").id
    theirs = new_key(accounts, Home(member, home.organisation, home.project))[1]
    elsewhere = new_key(accounts, Home(home.user, home.organisation, project))[1]
    assert accounts.check(theirs)
    assert accounts.check(elsewhere)
    with accounts.changing() as connection:
        organisations.expel(connection, home.organisation, member.id)
        organisations.change_project(connection, home.organisation, project, archived=1)
    assert accounts.check(theirs) is None
    assert accounts.check(elsewhere) is None


def test_a_key_may_do_no_more_than_its_user(accounts: Accounts, home: Home) -> None:
    with accounts.changing() as connection:
        member = users.create(connection, "member@example.org", "Member", None)
        assert member
        organisations.let_in(connection, home.organisation, member.id, "owner")
    theirs = Home(member, home.organisation, home.project)
    _, every = new_key(accounts, theirs)
    _, two = new_key(accounts, theirs, scopes={"inference", "admin"})
    for role, of_two in (
        ("owner", {"inference", "admin"}),
        ("member", {"inference"}),
        ("reader", set()),
    ):
        with accounts.changing() as connection:
            organisations.set_role(connection, home.organisation, member.id, role)
        seen = [accounts.check(secret) for secret in (every, two)]
        assert [caller.scopes for caller in seen if caller] == [ALLOWED[role], of_two]


def test_the_environment_may_give_a_key(
    accounts: Accounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = "chosen-by-the-user-001", "chosen-by-the-user-002"
    for adopted, dropped in ((first, None), (second, first), (second, first), (first, second)):
        monkeypatch.setenv("OPENHEARTH_API_KEY", adopted)
        accounts.adopt_environment()
        assert accounts.check(adopted)
        assert dropped is None or accounts.check(dropped) is None
    assert accounts.first_start() is None
    monkeypatch.setenv("OPENHEARTH_API_KEY", "short")
    with pytest.raises(UsageError, match="easy to guess"):
        accounts.adopt_environment()
    assert accounts.check(first)


def test_a_key_of_the_environment_that_was_revoked_stays_so(
    accounts: Accounts, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, other = "chosen-by-the-user-001", "chosen-by-the-user-002"
    monkeypatch.setenv("OPENHEARTH_API_KEY", own)
    accounts.adopt_environment()
    caller = accounts.check(own)
    assert caller
    with accounts.changing() as connection:
        assert api_keys.revoke(connection, home.organisation, caller.key)
    for restarted in (accounts, Accounts(accounts.database)):
        with pytest.raises(KeyRevoked, match="give another"):
            restarted.adopt_environment()
        assert restarted.check(own) is None
    accounts.adopt("environment", other)
    with pytest.raises(KeyRevoked):  # nor is it what another has replaced
        accounts.adopt_environment()
    assert accounts.check(other)


def test_a_key_that_had_another_name_is_not_made_again(accounts: Accounts, home: Home) -> None:
    key, secret = new_key(accounts, home)
    with accounts.changing() as connection:
        api_keys.revoke(connection, home.organisation, key.id)
    with pytest.raises(KeyRevoked):
        accounts.adopt("environment", secret)


def test_it_is_remembered_when_a_key_was_used(accounts: Accounts, home: Home) -> None:
    key, secret = new_key(accounts, home)
    assert key.used is None
    accounts.check(secret)
    with accounts.database.reading() as connection:
        found = api_keys.get(connection, home.organisation, key.id)
    assert found
    assert found.used is not None


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(presented=st.text())
def test_nothing_else_is_a_key(presented: str, accounts: Accounts, home: Home) -> None:
    assert accounts.check(presented) is None


def test_part_of_a_key_is_no_key(accounts: Accounts, home: Home) -> None:
    _, secret = new_key(accounts, home)
    for wrong in (secret[:-1], secret + "a", secret.upper(), f" {secret}"):
        assert accounts.check(wrong) is None


@pytest.fixture
def spoken(database: Database, caplog: pytest.LogCaptureFixture) -> Iterator[list[str]]:
    """Everything that is said to the database, and, at the end, all that was logged."""
    said: list[str] = []
    caplog.set_level(logging.DEBUG)

    @sa.event.listens_for(sa.Engine, "before_cursor_execute")
    def listen(connection: Any, cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        said.append(f"{statement} {parameters}")

    yield said
    sa.event.remove(sa.Engine, "before_cursor_execute", listen)


def test_neither_the_database_nor_a_log_ever_sees_a_key_or_a_password(
    database: Database, spoken: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    """So a wrong key is looked for by its digest, whose comparison tells nothing of any key."""
    accounts = Accounts(database)
    secret = accounts.first_start()
    joined = accounts.sign_up("a@example.org", "a password of mine", "A")
    back = accounts.log_in("a@example.org", "a password of mine")
    assert secret
    assert joined
    assert back
    assert accounts.log_in("a@example.org", "another password") is None
    for presented in (secret, joined.secret, back.secret, "oh-wrong-but-long-enough"):
        accounts.check(presented)
    everything = "\n".join([*spoken, caplog.text])
    assert "api_keys" in everything
    for hidden in (secret, joined.secret, back.secret, "oh-wrong", "password of", "another pass"):
        assert hidden not in everything


def test_an_organisation_is_welcomed_once_and_with_it(database: Database) -> None:
    welcomed: list[str] = []
    accounts = Accounts(database, lambda connection, organisation: welcomed.append(organisation))
    accounts.first_start()
    accounts.first_start()
    joined = accounts.sign_up("a@example.org", "a password of mine", "A")
    assert joined
    assert welcomed[1:] == [joined.home.organisation]

    def fail(connection: sa.Connection, organisation: str) -> None:
        raise UsageError("No.")

    with pytest.raises(UsageError):
        Accounts(database, fail).sign_up("b@example.org", "a password of mine", "B")
    assert Accounts(database).log_in("b@example.org", "a password of mine") is None


def test_the_file_of_the_database_holds_no_key(tmp_path: Path) -> None:
    database = Database.open(tmp_path / "platform.db")
    secret = Accounts(database).first_start()
    database.close()
    assert secret
    assert not any(secret[3:20].encode() in file.read_bytes() for file in tmp_path.iterdir())
