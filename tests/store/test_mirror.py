"""Several homes over one lasting place: one set of names and artifacts, whoever dies."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import threading
import uuid
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import fsspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from openhearth.errors import CorruptArtifact, HearthError, NotFound
from openhearth.store import Artifact, Draft, Store, Watch, collect, pull, push, remove
from openhearth.store import mirror as mirrors
from tests.store.conftest import add, files_under, text
from tests.waiting import until


@pytest.fixture(autouse=True)
def _always_fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mirrors, "FRESH", 0.0)
    monkeypatch.setattr(mirrors, "AGAIN", 0.0)


@pytest.fixture(params=["file", "memory"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return (tmp_path / "there").as_uri() if request.param == "file" else f"memory:/{tmp_path}"


@pytest.fixture
def one(tmp_path: Path, url: str) -> Store:
    return Store(tmp_path / "one", url)


@pytest.fixture
def two(tmp_path: Path, url: str) -> Store:
    return Store(tmp_path / "two", url)


def blob_of(artifact: Artifact) -> Path:
    return artifact.store.blob(artifact.manifest.files["text.txt"].digest)


def test_an_empty_home_has_all_that_is_there(one: Store, two: Store) -> None:
    base = add(one, "base")
    top = add(one, "top", base, name="me/top")
    assert two.refs.all() == {"me/top": top.digest}
    assert two.digests() == one.digests()
    found = two.get("me/top")
    assert found == top
    assert not blob_of(found).exists()
    assert found.path("text.txt").read_text() == "top"
    assert found.path("text.txt") == two.blob(found.manifest.files["text.txt"].digest)
    assert two.get(base.digest[:8]).path("text.txt").read_text() == "base"
    assert two.names_of(top.digest) == ["me/top"]


def test_what_others_made_is_not_made_again(one: Store, two: Store) -> None:
    made = add(one, "x")

    def build(draft: Draft) -> None:
        raise AssertionError("it is there already")

    assert two.find("corpus", recipe={"text": "x"}) == made
    assert two.make("corpus", build, recipe={"text": "x"}) == made
    with pytest.raises(AssertionError):
        two.make("corpus", build, recipe={"text": "y"})


def test_names_that_change_are_noticed(one: Store, two: Store) -> None:
    old, new = add(one, "old", name="a"), add(one, "new")
    assert two.get("a") == old
    two.tag("a", new.digest)
    assert one.get("a") == new
    remove(two, "a")
    assert one.refs.all() == two.refs.all() == {}
    with pytest.raises(NotFound):
        one.get("a")
    with pytest.raises(NotFound, match="not in the store at"):
        one.load(new.digest)
    assert add(one, "new") == new


def test_a_home_keeps_what_it_had_by_itself(tmp_path: Path, url: str, one: Store) -> None:
    alone = Store(one.root, "")
    own = add(alone, "own", name="own")
    assert one.refs.all() == {}
    collect(one, copies=True)
    assert Store(one.root, "").get("own").path("text.txt").read_text() == "own"
    push(own, url, name="own")
    assert one.get("own") == own
    remove(one, "own")
    assert alone.get("own") == own


def test_a_pull_from_elsewhere_lasts(tmp_path: Path, one: Store, two: Store) -> None:
    elsewhere = (tmp_path / "elsewhere").as_uri()
    top = add(Store(tmp_path / "third", ""), "top", add(Store(tmp_path / "third", ""), "base"))
    push(top, elsewhere)
    assert pull(one, elsewhere, top.digest) == top
    assert set(two.digests()) == {top.digest, *top.manifest.inputs.values()}
    assert two.get(top.digest).path("text.txt").read_text() == "top"


def test_damaged_copies_come_again(one: Store, two: Store) -> None:
    made = add(one, "precious", name="precious")
    blob = two.get("precious").path("text.txt")
    for damage in ("preciouz", None):
        blob.chmod(0o644)
        if damage:
            blob.write_text(damage)
        else:
            blob.unlink()
        fresh = Store(two.root, _url(two))
        assert fresh.get("precious").path("text.txt").read_text() == "precious"
    two.manifest_path(made.digest).write_bytes(b"{")
    with pytest.raises(CorruptArtifact):
        two.get("precious")
    collect(two)
    assert two.get("precious") == made


def test_damage_there_is_not_believed(one: Store, two: Store) -> None:
    remote = one.catalogue.remote
    assert remote
    bad, worse = add(one, "bad", name="bad"), add(one, "worse", name="worse")
    digest = bad.manifest.files["text.txt"].digest
    remote.place.write(f"blobs/sha256/{digest[:2]}/{digest}", b"BAD")
    remote.place.write(f"manifests/{worse.digest}.json", b"{}")
    remote.place.write("refs/evil", b"../../secret")
    remote.place.write("refs/..%2f..%2fx", bad.digest.encode())
    assert two.refs.all() == {"bad": bad.digest, "worse": worse.digest}
    with pytest.raises(CorruptArtifact, match="missing or damaged"):
        two.get("bad").path("text.txt")
    with pytest.raises(CorruptArtifact):
        two.get("worse")
    assert not any((two.root / "blobs/sha256").rglob("*/*"))
    collect(two)
    assert one.refs.all() == {"bad": bad.digest}


def test_collecting_copies_and_what_is_there(one: Store, two: Store, url: str) -> None:
    kept, gone = add(one, "kept", name="kept"), add(one, "gone!")
    two.get("kept").path("text.txt")
    assert collect(two) == 0
    assert collect(two, copies=True) == len("kept")
    assert two.get("kept").path("text.txt").read_text() == "kept"
    remove(two, gone.digest)
    assert collect(one) == len("gone!")
    remote = one.catalogue.remote
    assert remote
    assert len(remote.blobs()) == 2
    remote.place.write("tmp/left", b"left")
    assert collect(two, there=True) == len("gone!") + len("left")
    assert remote.blobs().keys() == {kept.manifest.files["text.txt"].digest}
    assert len(remote.place.folder("made")) == 1
    assert collect(one, there=True) == 0
    with pytest.raises(HearthError, match="OPENHEARTH_STORE"):
        collect(Store(one.root, ""), copies=True)


def test_two_machines_may_make_the_same_at_once(tmp_path: Path, url: str) -> None:
    both, results = threading.Barrier(2), []

    def build(draft: Draft) -> None:
        both.wait(60)
        for number in range(20):
            draft.path(f"{number}").write_text(f"{number}" * 1000)

    def run(home: str) -> None:
        results.append(Store(tmp_path / home, url).make("corpus", build, recipe={"v": 1}).digest)

    threads = [threading.Thread(target=run, args=(home,)) for home in ("one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    third = Store(tmp_path / "three", url)
    assert [*{*results}] == third.digests()
    made = third.get(results[0])
    assert all(made.path(f"{n}").read_text() == f"{n}" * 1000 for n in range(20))


def test_what_cannot_be_sent_is_not_made_and_goes_on(
    one: Store, two: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    builds = []

    def build(draft: Draft) -> None:
        builds.append((draft.work / "state").exists())
        (draft.work / "state").write_text("far")
        draft.path("text.txt").write_text("x")

    def broken(*_: Any) -> None:
        raise HearthError("the line is cut")

    with monkeypatch.context() as patch:
        patch.setattr("openhearth.store.place.Place._place", broken)
        with pytest.raises(HearthError, match="the line is cut"):
            one.make("corpus", build)
    assert one.digests() == two.digests() == []
    made = one.make("corpus", build)
    assert builds == [False, True]
    assert two.get(made.digest).path("text.txt").read_text() == "x"
    assert not any(path.is_dir() for path in (one.root / "work").iterdir())
    with monkeypatch.context() as patch:
        patch.setattr("openhearth.store.place.Place._place", broken)
        with pytest.raises(HearthError, match="the line is cut"):
            one.tag("a", made.digest)
    assert one.refs.all() == two.refs.all() == {}


def test_a_watched_store_notices_by_itself_and_outlives_the_line(
    one: Store, two: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(mirrors, "FRESH", 0.02)
    names = Watch(two.refs)
    assert names.news() == {}
    first = add(one, "first", name="first")
    assert until(names.news) == {"first": first.digest}

    def broken(*_: Any) -> None:
        raise HearthError("the line is cut")

    with monkeypatch.context() as patch, caplog.at_level(logging.WARNING):
        patch.setattr("openhearth.store.remote.Remote.names", broken)
        until(lambda: "the line is cut" in caplog.text)
        assert two.get("first") == first
    second = add(one, "second", name="second")
    until(lambda: two.refs.all() == {"first": first.digest, "second": second.digest})


def test_unreachable_places_are_explained(
    one: Store, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise ConnectionError("no route to host")

    for method in ("ls", "cat_file", "exists"):
        monkeypatch.setattr(type(fsspec.core.url_to_fs(url)[0]), method, broken)
    for ask in (one.digests, one.refs.all, lambda: one.get("x"), lambda: add(one, "x")):
        with pytest.raises(HearthError, match=r"cannot be read \(no route to host\).*connection"):
            ask()


def two_files(store: Store) -> None:
    """Make and name an artifact."""

    def build(draft: Draft) -> None:
        draft.path("a").write_text("first")
        draft.path("b").write_text("second")

    store.tag("named", store.make("corpus", build, recipe={"v": 1}).digest)


def die_at(step: int, home: Path, url: str, renames: Any) -> None:
    """Do that in this process, which ends by SIGKILL before it renames its `step`-th file."""

    def dying(move: Any) -> Any:
        def moves(source: str, target: str, **how: Any) -> None:
            renames.value += 1
            if renames.value == step:
                os.kill(os.getpid(), signal.SIGKILL)
            move(source, target, **how)

        return moves

    os.replace, os.rename = dying(os.replace), dying(os.rename)
    two_files(Store(home, url))


def test_killed_at_any_rename_it_is_whole_there_or_absent(tmp_path: Path) -> None:
    """It dies before each rename: of two blobs, the manifest and the name here and there, of what
    the recipe made there, and of those there that find no folder at first.
    """
    forked = multiprocessing.get_context("fork")

    def run(place: Path, step: int) -> tuple[int | None, int]:
        renames = forked.Value("i", 0)
        url = (place / "there").as_uri()
        process = forked.Process(target=die_at, args=(step, place / "home", url, renames))
        process.start()
        process.join()
        return process.exitcode, renames.value

    code, renames = run(tmp_path / "whole", 0)
    assert code == 0
    assert renames >= 9
    whole = files_under(tmp_path / "whole/there")
    for step in range(1, renames + 1):
        place, there = tmp_path / f"{step}", (tmp_path / f"{step}" / "there").as_uri()
        assert run(place, step) == (-signal.SIGKILL, step)
        other = Store(place / "other", there)
        for artifact in other.artifacts():
            assert {artifact.path(n).read_text() for n in ("a", "b")} == {"first", "second"}
        two_files(Store(place / "home", there))
        assert other.get("named").path("b").read_text() == "second"
        collect(other, there=True)
        assert files_under(place / "there") == whole


NAMES, WORDS = st.sampled_from(["a", "b/c", "b/c:1"]), st.sampled_from(["x", "y", "z"])
HOMES = st.sampled_from([0, 1])


class OneSet(RuleBasedStateMachine):
    """Two homes over one place, against a dictionary of names and a set of artifacts."""

    @initialize()
    def begin(self) -> None:
        self.folder = TemporaryDirectory()
        url = f"memory://{uuid.uuid4().hex}"
        self.homes = [Store(Path(self.folder.name) / f"{i}", url) for i in range(2)]
        self.artifacts: dict[str, str] = {}  # digest: its text
        self.names: dict[str, str] = {}

    def teardown(self) -> None:
        self.folder.cleanup()

    @rule(home=HOMES, word=WORDS)
    def make(self, home: int, word: str) -> None:
        made = self.homes[home].make("corpus", text(word), recipe={"text": word})
        self.artifacts[made.digest] = word

    @rule(home=HOMES, name=NAMES, word=WORDS)
    def tag(self, home: int, name: str, word: str) -> None:
        made = self.homes[home].find("corpus", recipe={"text": word})
        assert (made is not None) == (word in self.artifacts.values())
        if made:
            self.homes[home].tag(name, made.digest)
            self.names[name] = made.digest

    @rule(home=HOMES, name=NAMES)
    def remove(self, home: int, name: str) -> None:
        if name not in self.names:
            with pytest.raises(NotFound):
                remove(self.homes[home], name)
            return
        gone = remove(self.homes[home], name).digest
        assert gone == self.names[name]
        del self.artifacts[gone]
        self.names = {name: at for name, at in self.names.items() if at != gone}

    @rule(home=HOMES, unnamed=st.booleans(), copies=st.booleans(), there=st.booleans())
    def collect(self, home: int, unnamed: bool, copies: bool, there: bool) -> None:
        collect(self.homes[home], unnamed=unnamed, copies=copies, there=there)
        if unnamed:
            named = set(self.names.values())
            self.artifacts = {at: word for at, word in self.artifacts.items() if at in named}

    @rule(home=HOMES)
    def open_again(self, home: int) -> None:
        self.homes[home] = Store(self.homes[home].root, _url(self.homes[home]))

    @rule(home=HOMES)
    def read(self, home: int) -> None:
        for artifact in self.homes[home].artifacts():
            assert artifact.path("text.txt").read_text() == self.artifacts[artifact.digest]

    @invariant()
    def is_one_set(self) -> None:
        for home in self.homes:
            assert home.refs.all() == self.names
            assert set(home.digests()) == self.artifacts.keys()


def _url(store: Store) -> str:
    assert store.catalogue.remote
    return store.catalogue.remote.url


class TestOneSet(OneSet.TestCase):
    settings = settings(max_examples=40, stateful_step_count=20, deadline=None)
