"""How much work the demo does: fixed beforehand, so that a run that was stopped is the same run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

BASE = "smollm2-135m"
LEVELS = (1, 4, 16)  # callers at the same time


@dataclass(frozen=True)
class Plan:
    """What is curated and how many tokens, examples and requests each stage takes."""

    location: str
    rules: str
    name: str
    sources: str
    train_tokens: int
    scored: int  # held-out examples whose bits per byte are measured
    answered: int  # held-out questions that both models answer
    requests: dict[int, int]  # by callers
    max_answer: int = 64  # tokens


def plan(data: Path | None, short: bool) -> Plan:
    """The demo over installed packages, or over the user's own text at `data`."""
    ours = data is None
    return Plan(
        location="python:installed" if data is None else str(data.resolve()),
        rules="docstrings" if ours or _is_code(data) else "text",
        name="docstring-assistant" if ours else "my-assistant",
        sources="packages" if ours else "sources",
        train_tokens=10_000 if short else 40_000,
        scored=48 if short else 160,
        answered=16 if short else 48,
        requests=dict(zip(LEVELS, (2, 8, 16) if short else (8, 24, 64), strict=True)),
    )


def _is_code(data: Path | None) -> bool:
    """Whether Python sources outnumber other files at `data`."""
    if data is None or not data.is_dir():
        return False
    names = [path.suffix for path in data.rglob("*.*") if path.suffix in (".py", ".md", ".txt")]
    return names.count(".py") > len(names) / 2
