"""Ids are new, in the order of their making, and nothing that a database would choke on."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openhearth.platform import ids
from openhearth.platform.ids import may_be_id, new_id


def test_ids_are_new_and_in_the_order_of_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ids.time, "time_ns", lambda: 1_000_000)
    made = [new_id("key") for _ in range(1000)]
    assert len(set(made)) == len(made)
    monkeypatch.setattr(ids.time, "time_ns", lambda: 1_001_000)
    assert new_id("key") > max(made)
    assert all(map(may_be_id, made))


@pytest.mark.parametrize("text", ["", "\0", "a b", "a\n", "ä", "\ud800", "%", "'", "a" * 65])
def test_what_cannot_be_an_id(text: str) -> None:
    assert not may_be_id(text)


@given(st.text())
def test_an_id_is_short_and_plain(text: str) -> None:
    if may_be_id(text):
        assert text.isascii()
        assert text.isprintable()
        assert len(text) <= 64
