"""`import openhearth`: four functions, and nothing heavy until one is called."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest

import openhearth as oh
from openhearth.errors import NotFound, UsageError
from openhearth.models import pull
from openhearth.store import Store, lineage
from tests.cli.data.conftest import story


@pytest.fixture
def home(tmp_path: Path, tiny_directory: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store with the tiny model, where the functions look."""
    monkeypatch.setenv("OPENHEARTH_HOME", str(tmp_path / "home"))
    pull(Store(), str(tiny_directory), name="tiny")
    return tmp_path


def test_read_filter_tune_generate(home: Path) -> None:
    texts = home / "texts"
    texts.mkdir()
    for i in range(12):
        (texts / f"{i}.txt").write_text(story(random.Random(i).randrange(2**32)))
    assert sum(batch.num_rows for batch in oh.read(str(texts)).batches()) == 12
    dataset = oh.filter(str(texts), rules="text", heldout=0.3)
    assert dataset.manifest.metrics["heldout"] >= 2
    settings = {"tokens": 600, "max_tokens": 2048, "batch_tokens": 4096, "dtype": "float32"}
    stages = set()
    adapter = oh.tune("tiny", dataset, progress=lambda stage, *_: stages.add(stage), **settings)
    assert "tune" in stages
    assert dataset in [node.artifact for node in lineage(adapter).walk()]
    assert oh.tune("tiny", dataset.digest, **settings) == adapter
    told = oh.generate(adapter, "Hello", max_tokens=8, temperature=0)
    assert isinstance(told, str)
    assert told
    assert told == oh.generate(adapter.digest, "Hello", max_tokens=8, temperature=0)


def test_what_is_wrong_is_said(home: Path) -> None:
    with pytest.raises(NotFound):
        oh.read("nowhere")
    with pytest.raises(NotFound, match="rule set"):
        oh.filter(str(home), rules="none")
    with pytest.raises(NotFound, match="no-such-model"):
        oh.tune("no-such-model", "0" * 64)
    with pytest.raises(UsageError, match="rank"):
        oh.tune("tiny", "0" * 64, rank=-1)
    with pytest.raises(UsageError):
        oh.generate("tiny", "Hello", temperature=-1)
    with pytest.raises(AttributeError, match="cook"):
        _ = oh.cook


def test_the_import_is_light() -> None:
    script = (
        "import sys, openhearth; assert not {'torch', 'numpy', 'pyarrow'} & set(sys.modules);"
        "openhearth.read; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
