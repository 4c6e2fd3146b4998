"""How much the demo does, and over what."""

from __future__ import annotations

from pathlib import Path

import pytest

from openhearth.cli.demo.plan import LEVELS, plan


def test_without_data_it_is_the_installed_packages() -> None:
    chosen = plan(None, short=False)
    assert chosen.location == "python:installed"
    assert chosen.rules == "docstrings"
    assert chosen.name == "docstring-assistant"
    assert tuple(chosen.requests) == LEVELS


def test_short_is_less_of_everything() -> None:
    long, short = plan(None, short=False), plan(None, short=True)
    for part in ("train_tokens", "scored", "answered"):
        assert getattr(short, part) < getattr(long, part)
    assert all(short.requests[n] < long.requests[n] for n in LEVELS)
    assert all(short.requests[n] >= n for n in LEVELS)


@pytest.mark.parametrize(
    ("files", "rules"),
    [
        (["a.py", "b.py", "README.md"], "docstrings"),
        (["a.py", "b.md", "c.txt"], "text"),
        (["a.txt"], "text"),
        ([], "text"),
    ],
)
def test_code_is_told_from_prose(files: list[str], rules: str, tmp_path: Path) -> None:
    for name in files:
        (tmp_path / name).touch()
    chosen = plan(tmp_path, short=True)
    assert chosen.rules == rules
    assert chosen.location == str(tmp_path.resolve())
    assert chosen.name == "my-assistant"


def test_a_relative_path_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the same folder is the same work, wherever it is named from."""
    (tmp_path / "texts").mkdir()
    monkeypatch.chdir(tmp_path)
    assert plan(Path("texts"), short=True) == plan(tmp_path / "texts", short=True)
