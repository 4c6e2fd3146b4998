"""A platform whose engine speaks without a model."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from openhearth.platform import Keys
from tests.platform.conftest import FakeEngine
from tests.platform.place import Place, place


@pytest.fixture
def there(engine: FakeEngine, keys: Keys, tmp_path: Path) -> Iterator[Place]:
    with place(engine, tmp_path / "home", keys) as made:
        yield made


@pytest.fixture
def upload(there: Place, tmp_path: Path) -> Callable[..., str]:
    """The id of a file of these rows."""

    def send(rows: list[dict[str, Any]], purpose: str = "batch", project: str = "proj_a") -> str:
        path = tmp_path / "lines.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return there.upload(path, purpose, project)

    return send


def chat(number: int, **body: Any) -> dict[str, Any]:
    """A line that asks for a few words."""
    asked = {"model": "tiny", "max_tokens": 8, "messages": [{"role": "user", "content": "Hi"}]}
    return {
        "custom_id": f"line {number}",
        "method": "POST",
        "url": "/v1/chat/completions",
        "body": asked | {"seed": number} | body,
    }
