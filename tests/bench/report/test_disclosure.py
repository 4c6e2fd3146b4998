"""Disclosures: a name by what they say, and nothing else gets in."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openhearth.bench.recipe import Poisson, Recipe
from openhearth.bench.report.disclosure import (
    FILE,
    Client,
    Disclosure,
    Entry,
    Point,
    read_disclosure,
)
from openhearth.errors import UsageError

WHOLE = Disclosure(
    created=1.0,
    recipe=Recipe(name="chat-small", workloads={"chat": 1}),
    seed=7,
    entries=(Entry(url="http://127.0.0.1:1", model="m"),),
    points=(Point(role="ranked", load=Poisson(rate=1.0), seed=7, began=1.0, asks=60),),
    client=Client(machine="one", software={"openhearth": "0.1.0"}, processes=1),
    files={"records.parquet": "0" * 64},
)


def test_what_is_written_is_read_and_has_the_same_name(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(WHOLE.to_bytes())
    read = read_disclosure(tmp_path)
    assert read == WHOLE
    assert read.name == WHOLE.name


def test_the_name_is_of_all_but_the_signature() -> None:
    signed = WHOLE.model_copy(update={"signature": {"algorithm": "ed25519"}})
    assert signed.name == WHOLE.name
    assert WHOLE.model_copy(update={"seed": 8}).name != WHOLE.name


@given(st.integers(0, 2000), st.binary(min_size=1, max_size=8))
def test_a_changed_byte_changes_the_name_or_is_refused(at: int, junk: bytes) -> None:
    data = WHOLE.to_bytes()
    changed = data[: at % len(data)] + junk + data[at % len(data) + len(junk) :]
    try:
        read = Disclosure.model_validate_json(changed)
    except ValueError:
        return
    assert read == WHOLE or read.name != WHOLE.name


def test_what_is_no_report_says_so(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is no report"):
        read_disclosure(tmp_path)
    (tmp_path / FILE).write_text('{"protocol": 1}')
    with pytest.raises(UsageError, match="is no disclosure: created"):
        read_disclosure(tmp_path)


def test_a_load_that_was_broken_off_makes_it_partial() -> None:
    broken = WHOLE.points[0].model_copy(update={"interrupted": True})
    assert not WHOLE.partial
    assert WHOLE.model_copy(update={"points": (broken,)}).partial
