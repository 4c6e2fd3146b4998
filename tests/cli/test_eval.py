"""`hearth eval` and `hearth bench import`: what they print, and how they refuse."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

DATA = Path(__file__).parents[1] / "bench" / "foreign" / "data"


def test_texts(hearth: Callable[..., Any], tiny_directory: Path, tmp_path: Path) -> None:
    for number in range(2):
        (tmp_path / f"{number}.txt").write_text("The quick brown fox. " * (number + 1))
    asked = ("eval", str(tiny_directory), "--text", str(tmp_path / "*.txt"))
    first = hearth(*asked, "--json", "--quiet")
    assert first.code == 0, first.err
    (found,) = first.json
    assert found["documents"] == 2
    low, high = found["bits_per_byte"]["interval"]
    assert low <= found["bits_per_byte"]["value"] <= high
    shown = hearth(*asked)
    assert "bits_per_byte" in shown.out
    assert found["report"][:12] in shown.out


def test_nothing_to_evaluate_on(hearth: Callable[..., Any], tiny_directory: Path) -> None:
    found = hearth("eval", str(tiny_directory))
    assert found.code == 2
    assert "Give a --text or a --task" in found.err


def test_without_the_extra(
    hearth: Callable[..., Any], tiny_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "openhearth.bench.evaluation.tasks", raising=False)
    for name in [*sys.modules]:
        if name.partition(".")[0] == "lm_eval":
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "lm_eval", None)
    found = hearth("eval", str(tiny_directory), "--task", "hellaswag")
    assert found.code == 1
    assert "pip install 'openhearth[eval]'" in found.err


def test_import_of_foreign_results(hearth: Callable[..., Any], tmp_path: Path) -> None:
    found = hearth("bench", "import", str(DATA / "aiperf.jsonl"), "--out", str(tmp_path / "out"))
    assert found.code == 0, found.err
    assert "neither ranked nor gated" in found.out
    assert "Not in the file: texts" in found.err
    assert (tmp_path / "out" / "records.parquet").is_file()
    refused = hearth("bench", "import", __file__, "--out", str(tmp_path / "other"))
    assert refused.code == 2
    assert not (tmp_path / "other").exists()
