"""Keys: shown once, kept as hashes, read by the owner alone."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from openhearth.errors import HearthError, UsageError
from openhearth.platform import Keys
from openhearth.platform.caller import SCOPES


def named(keys: Keys, key: str) -> str:
    caller = keys.check(key)
    assert caller
    return caller.key


def test_the_first_start_makes_a_key_and_no_later_one_does(tmp_path: Path) -> None:
    key = Keys.open(tmp_path).first_start()
    assert key
    assert key.startswith("oh-")
    again = Keys.open(tmp_path)
    assert again.first_start() is None
    caller = again.check(key)
    assert caller
    assert (caller.key, caller.tenant, caller.scopes) == ("first", "local", SCOPES)


def test_the_file_holds_no_key_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    key = Keys.open(tmp_path).create("me")
    path = tmp_path / "keys.json"
    assert key not in path.read_text()
    assert key[3:20] not in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_new_key_of_the_same_name_replaces_the_old(tmp_path: Path) -> None:
    keys = Keys.open(tmp_path)
    other, old, new = keys.create("other"), keys.create("me"), keys.create("me")
    assert keys.check(old) is None
    assert [named(keys, key) for key in (new, other)] == ["me", "other"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(presented=st.text())
def test_nothing_else_is_a_key(presented: str, keys: Keys) -> None:
    keys.first_start()
    assert keys.check(presented) is None


def test_part_of_a_key_is_no_key(keys: Keys) -> None:
    key = keys.create("me")
    assert keys.check(key)
    assert not any(keys.check(wrong) for wrong in (key[:-1], key + "a", key.upper(), f" {key}"))


def test_keys_made_at_the_same_time_are_all_kept(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda i: Keys.open(tmp_path).create(f"k{i}"), range(16)))
    keys = Keys.open(tmp_path)
    assert [named(keys, key) for key in made] == [f"k{i}" for i in range(16)]


def test_the_environment_may_give_a_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = "chosen-by-the-user-001", "chosen-by-the-user-002"
    for key in (first, second, second):
        monkeypatch.setenv("OPENHEARTH_API_KEY", key)
        keys = Keys.open(tmp_path)
        keys.adopt_environment()
    assert keys.first_start() is None
    assert (keys.check(first), named(keys, second)) == (None, "environment")
    monkeypatch.setenv("OPENHEARTH_API_KEY", "short")
    with pytest.raises(UsageError, match="easy to guess"):
        keys.adopt_environment()
    assert keys.check(second)


@pytest.mark.parametrize("damage", [b"", b"{", b'{"keys": [{}]}', b"\xff"])
def test_a_damaged_file_is_an_error_with_a_remedy(damage: bytes, tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_bytes(damage)
    with pytest.raises(HearthError, match=r"is damaged.*remove it"):
        Keys.open(tmp_path)
