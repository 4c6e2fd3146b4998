"""Names with versions."""

from __future__ import annotations

from pathlib import Path

import pytest

from openhearth.store import Artifact, Draft, Store
from openhearth.training.versions import newest_version, next_name, publish


def artifact(store: Store, text: str) -> Artifact:
    def build(draft: Draft) -> None:
        draft.path("text").write_text(text)

    return store.make("report", build, recipe={"text": text})


def test_each_result_is_the_next_version(tmp_path: Path) -> None:
    store = Store(tmp_path)
    first, second = artifact(store, "a"), artifact(store, "b")
    assert publish(store, "me/bot", first) == "me/bot:1"
    assert publish(store, "me/bot", first) == "me/bot:1"
    assert publish(store, "me/bot", second) == "me/bot:2"
    assert store.get("me/bot") == second
    assert store.get("me/bot:1") == first
    assert newest_version(store, "me/bot") == 2
    assert newest_version(store, "me") == 0


def test_a_version_that_is_named_is_given_as_it_is(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert publish(store, "bot:stable", artifact(store, "a")) == "bot:stable"
    assert publish(store, "bot:9", artifact(store, "a")) == "bot:9"
    assert publish(store, "bot", artifact(store, "b")) == "bot:10"


@pytest.mark.parametrize(
    ("start", "name"), [("me/bot:3", "me/bot"), ("me/bot", None), ("0123456789ab", None)]
)
def test_what_goes_on_from_a_version_is_of_its_name(start: str, name: str | None) -> None:
    assert next_name(start) == name
