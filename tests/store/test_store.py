"""Making artifacts: once, whole or not at all; and finding them again."""

from __future__ import annotations

import errno
import hashlib
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openhearth.errors import CorruptArtifact, HearthError, NotFound, UsageError
from openhearth.store import Draft, Store
from openhearth.store.artifact import is_file_name
from tests.store.conftest import add, files_under, text


def test_an_artifact_gives_back_what_was_written(store: Store) -> None:
    def build(draft: Draft) -> None:
        draft.path("deep/er/data.json").write_text('{"a": [1]}')
        draft.path("empty").touch()
        draft.metrics["words"] = 3
        draft.license += ["MIT", "Apache-2.0", "MIT"]
        draft.creator.append("Ada")
        draft.cost["seconds"] = 1.5

    made = store.make("dataset", build, recipe={"shuffle": False})
    found = Store(store.root).get(made.digest[:6])
    assert found == made
    assert found.read_json("deep/er/data.json") == {"a": [1]}
    assert found.size == len('{"a": [1]}')
    assert found.manifest.metrics == {"words": 3}
    assert found.manifest.license == ("Apache-2.0", "MIT")
    assert found.manifest.creator == ("Ada",)
    assert store.cost(found.digest) == {"seconds": 1.5}
    with pytest.raises(NotFound, match=r"it has deep/er/data.json, empty"):
        found.path("data.json")


def test_blobs_lie_under_the_sha256_of_their_bytes(store: Store) -> None:
    artifact = add(store, "hearth")
    digest = hashlib.sha256(b"hearth").hexdigest()
    blob = store.root / "blobs" / "sha256" / digest[:2] / digest
    assert blob.read_bytes() == b"hearth"
    assert artifact.path("text.txt") == blob
    assert not blob.stat().st_mode & 0o222


def test_the_digest_does_not_depend_on_clock_cost_or_place(tmp_path: Path) -> None:
    def build(cost: float):
        def inner(draft: Draft) -> None:
            draft.path("a").write_text("same")
            draft.cost["seconds"] = cost

        return inner

    one = Store(tmp_path / "one").make("corpus", build(1.0), recipe={"n": 1, "m": 2})
    two = Store(tmp_path / "two").make("corpus", build(9.0), recipe={"m": 2, "n": 1})
    assert one.digest == two.digest


def test_the_same_recipe_over_the_same_inputs_is_made_once(store: Store) -> None:
    calls = []

    def build(draft: Draft) -> None:
        calls.append(draft)
        draft.path("a").write_text("x")

    first = store.make("corpus", build, recipe={"v": 1})
    assert store.find("corpus", recipe={"v": 1}) == first
    assert store.make("corpus", build, recipe={"v": 1}) == first
    assert store.find("corpus", recipe={"v": 2}) is None
    store.make("corpus", build, recipe={"v": 2})
    store.make("corpus", build, recipe={"v": 1}, inputs={"base": first.digest})
    assert len(calls) == 3


def test_concurrent_makers_build_once(store: Store) -> None:
    started, calls, results = threading.Barrier(4), [], []

    def build(draft: Draft) -> None:
        calls.append(1)
        draft.path("a").write_text("x")

    def run() -> None:
        own = Store(store.root)
        started.wait()
        results.append(own.make("corpus", build, recipe={"v": 1}).digest)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(calls) == 1
    assert len(set(results)) == 1
    assert len(results) == 4


def test_a_failed_build_leaves_nothing_but_its_work(store: Store) -> None:
    before = files_under(store.root)

    def build(draft: Draft) -> None:
        draft.path("half").write_text("half")
        (draft.work / "state").write_text("7")
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        store.make("corpus", build)
    after = files_under(store.root)
    assert {Path(name).name for name in after.keys() - before.keys()} == {"state"}
    assert store.artifacts() == []

    def resume(draft: Draft) -> None:
        draft.path("a").write_text((draft.work / "state").read_text())

    assert store.make("corpus", resume).path("a").read_text() == "7"
    assert not any(p.is_dir() for p in (store.root / "work").iterdir())


KILLED = """
import os, signal, sys
from openhearth.store import Store
import openhearth.store.disk as disk

step, store = int(sys.argv[2]), Store(sys.argv[1])
replace, seen = os.replace, []

def dying(source, target):
    seen.append(target)
    if len(seen) == step:
        os.kill(os.getpid(), signal.SIGKILL)
    replace(source, target)

os.replace = dying

def build(draft):
    draft.path("a").write_text("first")
    draft.path("b").write_text("second")
    draft.cost["seconds"] = 1

artifact = store.make("corpus", build, recipe={"v": 1})
store.tag("named", artifact.digest)
"""


def test_killed_at_any_rename_it_is_whole_or_absent(tmp_path: Path) -> None:
    """Two blobs, cost, manifest, `made`, ref: the process dies before each of the six renames."""
    whole = None
    for step in range(7, 0, -1):
        root = tmp_path / str(step)
        command = [sys.executable, "-c", KILLED, str(root)]
        done = subprocess.run([*command, str(step)], check=False, timeout=60)
        assert done.returncode == (0 if step == 7 else -9)
        for artifact in Store(root).artifacts():
            assert {artifact.path(n).read_text() for n in ("a", "b")} == {"first", "second"}
        subprocess.run([*command, "99"], check=True, timeout=60)
        whole = whole or Store(root).get("named").digest
        assert Store(root).get("named").digest == whole
        assert len(Store(root).artifacts()) == 1


def test_damaged_bytes_are_refused(store: Store) -> None:
    artifact = add(store, "precious")
    blob = artifact.path("text.txt")
    blob.chmod(0o644)
    blob.write_text("preciouz")
    assert artifact.path("text.txt") == blob  # checked once per process, and that was before
    with pytest.raises(CorruptArtifact, match="hearth gc"):
        Store(store.root).get(artifact.digest).path("text.txt")
    blob.unlink()
    with pytest.raises(CorruptArtifact, match="missing or damaged"):
        Store(store.root).get(artifact.digest).path("text.txt")


def test_an_altered_manifest_is_refused(store: Store) -> None:
    artifact = add(store, "a")
    path = store.manifest_path(artifact.digest)
    path.write_bytes(path.read_bytes().replace(b'"corpus"', b'"report"'))
    with pytest.raises(CorruptArtifact, match="altered"):
        store.get(artifact.digest)
    path.write_bytes(b"{")
    with pytest.raises(CorruptArtifact, match="cannot be read"):
        store.get(artifact.digest)


def test_a_full_disk_is_explained_and_leaves_nothing(store: Store) -> None:
    def build(draft: Draft) -> None:
        draft.path("a").write_text("x")
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(HearthError, match=r"disk under .* is full.*run the same again"):
        store.make("corpus", build)
    assert store.artifacts() == []
    assert list((store.root / "tmp").iterdir()) == []


def test_a_home_that_is_a_file_is_explained(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(HearthError, match="OPENHEARTH_HOME"):
        Store(tmp_path / "file")


def test_unknown_things_are_named_with_a_remedy(store: Store) -> None:
    with pytest.raises(NotFound, match="`hearth ls`"):
        store.get("nothing")
    with pytest.raises(NotFound, match="not in the store"):
        store.load("0" * 64)
    with pytest.raises(UsageError, match="not a kind of artifact"):
        store.make("cake", text("x"))


def test_a_beginning_that_two_digests_share_is_not_guessed(store: Store) -> None:
    manifest = store.manifest_path(add(store, "a").digest)
    manifest.with_name("ab" * 3 + "0" * 58 + ".json").write_bytes(b"{}")
    manifest.with_name("ab" * 3 + "1" * 58 + ".json").write_bytes(b"{}")
    with pytest.raises(NotFound, match="2 artifacts begin with ababab"):
        store.get("ababab")


@given(st.lists(st.sampled_from(["a", "..", ".", "", "/", "~", "b c", "\0"]), max_size=5))
def test_no_file_name_leads_out_of_the_artifact(parts: list[str]) -> None:
    name, root = "/".join(parts), Path("/store/draft")
    if is_file_name(name):
        assert os.path.normpath(root / name).startswith("/store/draft/")


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a/../../x", "", ".", "a//b", "a\0b"])
def test_names_that_leave_the_artifact_are_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="leaves the artifact"):
        Draft(tmp_path, tmp_path).path(name)
