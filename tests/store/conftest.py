"""A store of its own for each test, and artifacts that are a text each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from openhearth.store import Artifact, Draft, Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "home")


def text(content: str, name: str = "text.txt") -> Callable[[Draft], None]:
    """A build that writes one file."""

    def build(draft: Draft) -> None:
        draft.path(name).write_text(content)

    return build


def add(store: Store, content: str, *parents: Artifact, name: str | None = None) -> Artifact:
    """An artifact made from `parents`, under a name if there is one."""
    inputs = {f"part{i}": parent.digest for i, parent in enumerate(parents)}
    artifact = store.make("corpus", text(content), inputs=inputs, recipe={"text": content})
    if name:
        store.tag(name, artifact.digest)
    return artifact


def files_under(root: Path) -> dict[str, bytes]:
    """Every file of a store but its locks, with its bytes."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and not path.name.endswith(".lock")
    }
