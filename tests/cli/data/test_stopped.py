"""Commands of `hearth data` that are killed or interrupted: the next one goes on."""

from __future__ import annotations

import functools
import glob
import hashlib
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from openhearth.store import Store
from tests.cli.data.conftest import story
from tests.conftest import write_tokenizer

pytestmark = pytest.mark.system
PARTS = 3
FILES_OF_A_PART = 4096  # `PART_FILES` of `data/sources/formats.py`
STOPS = [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGINT, 130)]


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files enough for three parts, of which every fifth has the text of another."""
    folder = tmp_path_factory.mktemp("texts")
    for i in range((PARTS - 1) * FILES_OF_A_PART + 100):
        (folder / f"{i:05}.txt").write_text(story(i - 1 if i % 5 == 4 else i, sentences=4))
    return folder


def started(home: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "openhearth.cli", "--home", str(home), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell's background jobs ignore Ctrl-C, and so would their children.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


def stop(child: subprocess.Popen[str], number: int, when: Callable[[], object]) -> str:
    """Send a signal as soon as something holds; what the child said."""
    with child:
        while not when():
            assert child.poll() is None, child.communicate()[1]
            time.sleep(0.001)
        child.send_signal(number)
        return child.communicate()[1]


def finish(home: Path, *arguments: str) -> str:
    child = started(home, *arguments)
    with child:
        out, err = child.communicate()
    assert child.returncode == 0, err
    return out


def digest(folder: Path) -> str:
    """What tells a folder of parts from others."""
    files = sorted(folder.iterdir())
    assert [file.suffix for file in files] == [".gz"] * PARTS
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


@pytest.fixture(scope="module")
def unbroken(texts: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[list[str]], str]:
    """The digest of what a command makes that nobody stops."""

    @functools.cache
    def of(*command: str) -> str:
        folder = tmp_path_factory.mktemp("unbroken")
        finish(folder, "data", *command, str(texts), "--out", str(folder / "out"))
        return digest(folder / "out")

    return lambda command: of(*command)


@pytest.mark.parametrize(("number", "code"), STOPS)
@pytest.mark.parametrize(
    ("command", "part"),
    [
        (["signals", "--signals", "oh", "--form", "rpv2"], ".out.parts/000000.jsonl.gz"),
        (["filter", "--rules", "gopher-quality", "--form", "jsonl"], ".out.parts/000000.jsonl.gz"),
        (["dedup", "--form", "jsonl"], ".out.dedup/keys/000000.arrow"),
    ],
    ids=["signals", "filter", "dedup"],
)
def test_the_same_command_goes_on(
    command: list[str],
    part: str,
    number: int,
    code: int,
    texts: Path,
    unbroken: Callable[[list[str]], str],
    tmp_path: Path,
) -> None:
    arguments = ["data", *command, str(texts), "--out", str(tmp_path / "out")]
    done = tmp_path / part
    child = started(tmp_path, *arguments)
    said = stop(child, number, done.with_name("000000.done").exists)
    assert child.returncode == code
    assert "Traceback" not in said
    assert ("Run the same command again" in said) == (number == signal.SIGINT)
    assert not (tmp_path / "out").exists()
    written = done.stat().st_mtime_ns
    finish(tmp_path, *arguments)
    assert digest(tmp_path / "out") == unbroken(command)
    if command[0] != "dedup":  # whose files of keys go
        assert (tmp_path / "out" / done.name).stat().st_mtime_ns == written
    assert not list(tmp_path.glob(".*")), "nothing is left beside the result"


@pytest.mark.parametrize(("number", "code"), STOPS)
def test_tokens_go_on(
    number: int, code: int, texts: Path, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    write_tokenizer(tmp_path)
    tokenizer = str(tmp_path / "tokenizer.json")
    arguments = ["data", "tokens", str(texts), "--tokenizer", tokenizer, "--out", "mine"]
    for attempt in range(5):  # on a busy machine it may end before it is stopped
        home = tmp_path / f"home{attempt}"
        child = started(home, *arguments)
        said = stop(
            child, number, lambda home=home: glob.glob("work/*/*/000000.bin", root_dir=home)
        )
        if child.returncode != 0:
            break
    assert child.returncode == code
    assert "Traceback" not in said
    assert [a.kind for a in Store(home).artifacts() if a.kind != "tokenizer"] == ["corpus"]
    finish(home, *arguments)
    other = tmp_path_factory.mktemp("other")
    finish(other, *arguments)
    assert Store(home).get("mine").digest == Store(other).get("mine").digest
    assert not list(home.glob("work/*/*"))


def test_a_reader_may_go_away(texts: Path) -> None:
    command = f"{sys.executable} -m openhearth.cli --json data read {texts} --limit 9000"
    shell = ["bash", "-c", f"{command} | head -1"]
    done = subprocess.run(shell, capture_output=True, text=True, check=True)
    assert done.stdout == "{\n"
    assert "Error" not in done.stderr
    assert "bug" not in done.stderr
