"""Names: what may be one, and what it means."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openhearth.errors import HearthError, NotFound, UsageError
from openhearth.store import Store
from openhearth.store.refs import file_of
from tests.store.conftest import add


@pytest.mark.parametrize("name", ["a", "smollm2-135m", "me/model", "me/model:v1.2", "0_0"])
def test_names_mean_what_they_were_last_given(store: Store, name: str) -> None:
    old, new = add(store, "old", name=name), add(store, "new")
    assert store.get(name) == old
    store.tag(name, new.digest)
    assert store.get(name) == new
    assert store.refs.all() == {name: new.digest}
    assert store.names_of(old.digest) == []
    assert store.names_of(new.digest) == [name]


@pytest.mark.parametrize(
    "name", ["", "A", "../a", "a/../b", "/a", "a/", ".a", "a b", "a\n", "ä", "a:b:c", "a" * 129]
)
def test_other_names_are_refused(store: Store, name: str) -> None:
    with pytest.raises(UsageError, match="cannot name an artifact"):
        store.tag(name, add(store, "x").digest)
    assert store.refs.all() == {}


@given(st.text(max_size=20))
def test_a_name_is_one_file_or_refused(name: str) -> None:
    try:
        file = file_of(name)
    except UsageError:
        return
    assert "/" not in file
    assert not file.startswith(".")
    assert file.replace("%2f", "/") == name


def test_a_name_needs_an_artifact(store: Store) -> None:
    with pytest.raises(NotFound):
        store.tag("a", "0" * 64)


def test_a_name_goes_before_the_digest_that_looks_like_it(store: Store) -> None:
    plain = add(store, "plain")
    other = add(store, "other", name=plain.digest[:8])
    assert store.get(plain.digest[:8]) == other
    assert store.get(plain.digest[:9]) == plain


def test_a_full_disk_keeps_the_old_meaning(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = add(store, "old", name="a"), add(store, "new")

    def full(source: str, target: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(HearthError, match="full"):
        store.tag("a", new.digest)
    monkeypatch.undo()
    assert store.refs.all() == {"a": old.digest}
