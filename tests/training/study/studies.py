"""A study so small that a test can carry it out, over text of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from openhearth.training.study import StudyRecipe

SENTENCE = "the quick brown fox jumps over a lazy dog and returns to where it was before"


def write_text(folder: Path) -> Path:
    """Some documents, each of words in an order of its own."""
    folder.mkdir()
    kinds = SENTENCE.split()
    for number in range(12):
        words = [kinds[(number + 1) * i % len(kinds)] for i in range(1, 120)]
        (folder / f"{number}.txt").write_text(" ".join(words))
    return folder


def small(text: Path, **fields: Any) -> StudyRecipe:
    """Two mixes, two sizes, three amounts, and a next size, all tiny."""
    base = {
        "name": "study/small",
        "slices": {"words": {"source": str(text), "rules": [], "similarity": None}},
        "mixes": {"attention": ["attention"], "conv": ["short_conv"]},
        "sizes": [{"width": 8, "depth": 1, "heads": 1}, {"width": 16, "depth": 1, "heads": 1}],
        "flops": [1e7, 1.6e7, 2.4e7],
        "next": {"size": {"width": 24, "depth": 1, "heads": 1}, "flops": 4e7},
        "model": {"tied_head": True},
        "context": 32,
        "batch_tokens": 128,
        "heldout_rows": 4,
        "draws": 20,
        "optimizer": {"learning_rate": 0.01},
    }
    return StudyRecipe.parse(base | fields)
