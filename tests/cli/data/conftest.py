"""Texts that no two seeds share, and files of them."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

NAMES = ["The keeper", "A sailor", "The old captain", "Her brother", "The teacher", "A gull"]
DOES = ["lit the lamp", "watched the grey water", "wrote in the book", "mended a net", "sang"]
WHEN = ["before the storm came", "in the evening", "when nobody was looking", "with great care"]


def story(seed: int, sentences: int = 12) -> str:
    """A paragraph of plain sentences that no other seed has."""
    draw = random.Random(seed)
    parts = [map(draw.choice, (NAMES, DOES, WHEN)) for _ in range(sentences)]
    return " ".join(f"{' '.join(part)}, and that was day {draw.random():.9f}." for part in parts)


def write_lines(path: Path, texts: Iterable[str | dict[str, Any]]) -> Path:
    """A file of JSON lines, a document each."""
    rows = [{"text": text} if isinstance(text, str) else text for text in texts]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def read_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twelve stories; a copy of one, a text that is too short, and a file that is no text."""
    folder = tmp_path / "texts"
    folder.mkdir()
    for i in range(12):
        (folder / f"{i}.txt").write_text(story(i))
    (folder / "copy.txt").write_text(story(3))
    (folder / "short.txt").write_text("Too short.")
    (folder / "binary.txt").write_bytes(b"\x00\x01\x02" * 50)
    return folder
