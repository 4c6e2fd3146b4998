"""Archives: what is in them, how long they are kept, and what a crash left."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from openhearth.platform.finetuning import archive as module
from openhearth.platform.finetuning.archive import KEPT_SECONDS, archive, kept, size_of, sweep
from openhearth.store import Artifact, Draft, Store
from openhearth.store.disk import locked
from tests.platform.finetuning.conftest import unpacked


def tokens(store: Store, name: str) -> Artifact:
    def build(draft: Draft) -> None:
        draft.path("train/tokens.bin").write_bytes(name.encode())

    return store.make("dataset", build, recipe={"name": name})


def names(store: Store) -> set[str]:
    return {path.name for path in (store.root / "cache" / "archives").glob("[!.]*")}


def test_it_is_packed_once_and_is_the_files(tmp_path: Path) -> None:
    store = Store(tmp_path)
    made = tokens(store, "abc")
    assert kept(made, "tokens") is None
    packed = archive(made, "tokens")
    assert kept(made, "tokens") == packed
    assert unpacked(packed.read_bytes()) == {"train/tokens.bin": b"abc"}
    assert names(store) == {packed.name}
    assert size_of(made, "tokens") == 3


def test_the_last_ones_are_kept_for_a_day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_KEPT", 2)
    store = Store(tmp_path)
    made = [tokens(store, name) for name in "abc"]
    for age, one in enumerate(made):
        path = archive(one, "tokens")
        os.utime(path, (time.time() - 100 + age,) * 2)
    assert [kept(one, "tokens") is not None for one in made] == [False, True, True]
    os.utime(path, (time.time() - KEPT_SECONDS - 1,) * 2)
    sweep(store)
    assert [kept(one, "tokens") is not None for one in made] == [False, True, False]


def test_what_a_crash_left_goes_and_what_is_being_written_stays(tmp_path: Path) -> None:
    store = Store(tmp_path)
    folder = store.root / "cache" / "archives"
    for name in ("part-dead", "part-alive"):
        (folder / name).mkdir(parents=True)
        (folder / name / "half.tar.zst").write_bytes(b"half")
    with locked(folder / "part-alive" / ".lock"):
        sweep(store)
        assert names(store) == {"part-alive"}
    sweep(store)
    assert names(store) == set()
