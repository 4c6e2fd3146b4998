"""`hearth serve`: what it opens, in which order, and what it says."""

from __future__ import annotations

import re
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import openhearth.inference
from openhearth import platform
from openhearth.cli.serve import serve
from openhearth.errors import HearthError
from openhearth.inference import ModelCard
from openhearth.platform import Keys
from openhearth.store import Store
from tests import certificates


class FakeEngine:
    """Remembers what was opened."""

    opened: list[list[str]]
    settings: dict[str, object]

    @classmethod
    def open(cls, store: Store, models: list[str], **settings: object) -> FakeEngine:
        cls.opened.append(models)
        cls.settings = settings
        return cls()

    def models(self) -> list[ModelCard]:
        return [ModelCard(name, "", 1) for name in self.opened[-1]]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty store, an engine that loads nothing, and a server that is ready and stops."""

    def ready_and_stop(engine: Any, keys: Any, *, ready: Any, **where: Any) -> None:
        ready()

    FakeEngine.opened = []
    monkeypatch.setenv("OPENHEARTH_HOME", str(tmp_path))
    monkeypatch.delenv("OPENHEARTH_API_KEY", raising=False)
    monkeypatch.setattr(openhearth.inference, "Engine", FakeEngine, raising=False)
    monkeypatch.setattr(platform, "serve", ready_and_stop)
    before = signal.getsignal(signal.SIGTERM)
    yield tmp_path
    signal.signal(signal.SIGTERM, before)


def said(command: Any, *arguments: str) -> str:
    result = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def free_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return str(listener.getsockname()[1])


def test_serve_opens_what_it_is_told_and_shows_the_key_once(home: Path) -> None:
    arguments = ("tiny", "--adapter", "a", "--adapter", "b=there", "--port", free_port())
    first, second = said(serve, *arguments), said(serve, *arguments)
    assert FakeEngine.opened == [["tiny"]] * 2
    assert FakeEngine.settings == {
        "adapters": {"a": "a", "b": Path("there")},
        "adapter_memory": 2**30,
        "executor": "auto",
        "dtype": "auto",
        "kv_dtype": "auto",
        "kv_memory": 2**30,
        "threads": None,
        "remote": None,
    }
    key = re.search(r"oh-\S+", first)
    assert key
    caller = Keys.open(home).check(key[0])
    assert caller
    assert caller.key == "first"
    assert f"http://127.0.0.1:{arguments[-1]}/v1" in second
    assert "oh-" not in second


def test_a_key_from_the_environment_is_accepted_and_not_shown(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENHEARTH_API_KEY", "chosen-by-the-user-001")
    assert "chosen" not in said(serve, "tiny", "--port", free_port())
    caller = Keys.open(home).check("chosen-by-the-user-001")
    assert caller
    assert caller.key == "environment"


@certificates.needed
def test_it_speaks_tls_by_a_certificate_that_is_looked_at_before_the_model(
    home: Path, tmp_path: Path
) -> None:
    tls = certificates.self_signed(tmp_path, "DNS:example.org")
    words = ["--port", free_port(), "--tls-certificate", str(tls.certificate)]
    output = said(serve, "tiny", *words, "--tls-key", str(tls.key))
    assert f"https://example.org:{words[1]}/v1" in output
    FakeEngine.opened = []
    with pytest.raises(HearthError, match="cannot be used"):
        CliRunner().invoke(
            serve, ["tiny", *words, "--tls-key", str(tmp_path / "none")], catch_exceptions=False
        )
    assert FakeEngine.opened == []


def test_a_port_in_use_fails_before_the_model_is_loaded(home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
        with pytest.raises(HearthError, match="already in use"):
            CliRunner().invoke(serve, ["tiny", "--port", port], catch_exceptions=False)
    assert FakeEngine.opened == []
    assert not (home / "keys.json").exists()
