"""`hearth` in this process, as `main` runs it: what it prints, and its exit code."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from openhearth.cli import run


@dataclass(frozen=True)
class Result:
    """What a command left."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty store, which the commands use."""
    monkeypatch.setenv("OPENHEARTH_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("HEARTH_DEBUG", raising=False)
    monkeypatch.delenv("OPENHEARTH_STORE", raising=False)
    return tmp_path / "home"


@pytest.fixture
def hearth(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Result]:
    def call(*arguments: str) -> Result:
        monkeypatch.setattr(sys, "argv", ["hearth", *arguments])
        capsys.readouterr()
        code = run()
        captured = capsys.readouterr()
        return Result(code, captured.out, captured.err)

    return call
