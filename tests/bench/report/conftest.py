"""A key that signs, and reports to change."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from openhearth.bench.report.write import write
from tests.bench import builders


@pytest.fixture(scope="session")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("key") / "key.pem"


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory, key: Path) -> Path:
    """The report of `a_run`."""
    place = tmp_path_factory.mktemp("written") / "report"
    write(place, builders.a_run(), key)
    return place


@pytest.fixture
def copied(written: Path, tmp_path: Path) -> Path:
    """One that may be changed."""
    return Path(shutil.copytree(written, tmp_path / "report"))


Copy = Callable[[], Path]
