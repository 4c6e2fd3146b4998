"""A recipe from its text to its tokens."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from openhearth.data import CurateRecipe
from openhearth.data.carry_out import carry_out
from openhearth.errors import NotFound, UsageError
from openhearth.store import Store


@pytest.fixture
def source(tmp_path: Path) -> str:
    path = tmp_path / "texts.jsonl"
    rows = [{"text": f"This is text number {i}.", "url": f"u{i}"} for i in range(20)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def test_a_dataset_gets_its_name(source: str, tmp_path: Path) -> None:
    store = Store(tmp_path / "home")
    recipe = CurateRecipe(source=source, rules=(), similarity=None, name="clean")
    made = carry_out(store, recipe)
    assert made.tokens is None
    assert store.get("clean") == made.dataset


def test_what_is_wrong_is_said_before_any_work(source: str, tmp_path: Path) -> None:
    store = Store(tmp_path / "home")
    with pytest.raises(UsageError):
        carry_out(store, CurateRecipe(source=source, name="Not A Name"))
    unknown = CurateRecipe.parse({"source": source, "tokens": {"tokenizer": "none"}})
    with pytest.raises(NotFound):
        carry_out(store, unknown)
    assert store.artifacts() == []
