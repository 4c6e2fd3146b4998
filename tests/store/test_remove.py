"""Removing: never what others need, never what a running job has just written."""

from __future__ import annotations

import threading

import pytest

from openhearth.errors import HearthError, NotFound
from openhearth.store import Draft, Store, collect, remove
from tests.store.conftest import add, files_under


def test_what_others_need_is_not_removed(store: Store) -> None:
    base = add(store, "base", name="base")
    named, unnamed = add(store, "one", base, name="one"), add(store, "two", base)
    with pytest.raises(HearthError, match=rf"needed by one, corpus {unnamed.digest[:12]}"):
        remove(store, "base")
    remove(store, "one")
    remove(store, unnamed.digest)
    assert remove(store, "base") == base
    assert store.artifacts() == []
    assert store.refs.all() == {}
    with pytest.raises(NotFound):
        store.get(named.digest)


def test_collect_frees_only_what_nothing_names(store: Store) -> None:
    kept, gone = add(store, "kept", name="kept"), add(store, "gone!")
    remove(store, gone.digest)
    assert collect(store) == len("gone!")
    assert Store(store.root).get("kept").path("text.txt").read_text() == "kept"
    assert [p.name for p in (store.root / "blobs/sha256").glob("*/*")] == [
        kept.manifest.files["text.txt"].digest
    ]
    assert collect(store) == 0


def test_bytes_that_two_artifacts_share_stay_for_the_other(store: Store) -> None:
    first = store.make("corpus", lambda d: d.path("a").write_text("same") and None)
    second = store.make("dataset", lambda d: d.path("b").write_text("same") and None)
    remove(store, first.digest)
    assert collect(store) == 0
    assert second.path("b").read_text() == "same"


def test_a_removed_artifact_can_be_made_again(store: Store) -> None:
    first = add(store, "x")
    remove(store, first.digest)
    collect(store)
    again = add(store, "x")
    assert again == first
    assert Store(store.root).get(again.digest).path("text.txt").read_text() == "x"


def test_unnamed_artifacts_go_unless_a_name_leads_to_them(store: Store) -> None:
    root = add(store, "root")
    middle = add(store, "middle", root)
    top = add(store, "top", middle, name="top")
    loose = add(store, "loose", root)
    collect(store, unnamed=True)
    assert set(store.digests()) == {root.digest, middle.digest, top.digest}
    assert not store.manifest_path(loose.digest).exists()


def test_damaged_artifacts_go_with_their_names_and_can_be_made_again(store: Store) -> None:
    damaged, whole = add(store, "damaged", name="damaged"), add(store, "whole", name="whole")
    blob = damaged.path("text.txt")
    blob.chmod(0o644)
    blob.write_text("d")
    store.manifest_path("f" * 64).write_bytes(b"not a manifest")
    fresh = Store(store.root)
    collect(fresh)
    assert fresh.refs.all() == {"whole": whole.digest}
    assert fresh.digests() == [whole.digest]
    assert add(fresh, "damaged").path("text.txt").read_text() == "damaged"


def test_what_dead_jobs_left_is_freed(store: Store) -> None:
    def dies(draft: Draft) -> None:
        (draft.work / "state").write_bytes(b"x" * 100)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.make("corpus", dies)
    (store.root / "tmp" / "left").write_bytes(b"y" * 10)
    assert collect(store) == 110
    assert files_under(store.root) == {}


def test_nothing_is_removed_while_a_job_runs(store: Store) -> None:
    add(store, "x", name="x")
    started, finish = threading.Event(), threading.Event()

    def build(draft: Draft) -> None:
        draft.path("a").write_text("a")
        started.set()
        assert finish.wait(30)

    job = threading.Thread(target=lambda: Store(store.root).make("dataset", build))
    job.start()
    try:
        assert started.wait(30)
        with pytest.raises(HearthError, match="A job is running"):
            collect(store)
        with pytest.raises(HearthError, match="A job is running"):
            remove(store, "x")
    finally:
        finish.set()
        job.join()
    assert len(store.artifacts()) == 2
    assert collect(store) == 0
