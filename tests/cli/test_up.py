"""`hearth up`, `down` and `status` without starting anything: what they say and refuse."""

from __future__ import annotations

import json
import re
import socket
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from openhearth.cli import up
from openhearth.models import pull
from openhearth.platform import supervisor
from openhearth.platform.keys import OWN_KEY
from openhearth.platform.running import Running, only_one
from openhearth.platform.supervisor import Options, Ready
from openhearth.store import Store
from tests import certificates

STATE = Running(
    7, "http://127.0.0.1:1", "http://127.0.0.1:2", "oh-secret", 1, True, {"node": 8}, {"node": 3}
)
FIRST = Ready("http://127.0.0.1:1", "oh-first", first=True)
LATER = Ready("http://127.0.0.1:1", "oh-for-now", first=False)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Options]:
    """With which options a supervisor was started, which is ready at once and ends."""
    seen: list[Options] = []

    class Fake:
        def __init__(self, options: Options) -> None:
            seen.append(options)

        def run(self, ready: Any) -> None:
            ready(FIRST if len(seen) == 1 else LATER)

    monkeypatch.delenv(OWN_KEY, raising=False)
    monkeypatch.setattr(supervisor, "Supervisor", Fake)
    return seen


def test_up_says_where_and_how_and_shows_a_key_once(
    hearth: Any, home: Path, started: list[Options]
) -> None:
    first, second = (
        hearth("up"),
        hearth("up", "--credits", "0", "--kv-memory", "2GiB", "--no-model", "--idle", "60"),
    )
    assert "shown only this once: oh-first" in first.out
    assert "oh-" not in second.out
    assert "hearth keys create" in second.out
    assert started[0].home == home
    assert (started[0].port, started[0].credits) == (8080, 2_500_000_000)
    assert started[0].models == ["smollm2-135m"]
    assert (started[1].models, started[1].credits) == ([], 0)
    assert started[1].engine["kv_memory"] == 2**31
    assert [one.idle for one in started] == [None, 60.0]


def test_what_is_to_be_pasted_is_whole(hearth: Any, started: list[Options]) -> None:
    output = hearth("up").out
    snippets = re.findall(r"(?m)(?:^  (?:from|client|print).*\n){3}", output)
    assert len(snippets) == 2
    for snippet in snippets:
        compile(re.sub("(?m)^  ", "", snippet), "snippet", "exec")
    (body,) = re.findall(r"-d '(.*)'", output)
    assert json.loads(body)["model"] == "smollm2-135m"


def test_examples_name_a_model_that_is_there(
    hearth: Any, home: Path, started: list[Options], tiny_directory: Path
) -> None:
    pull(Store(home), str(tiny_directory), name="mine")
    assert 'model="mine"' in hearth("up", "--no-model").out


def test_the_first_line_is_an_object_with_json(hearth: Any, started: list[Options]) -> None:
    for ready in (FIRST, LATER):
        line = hearth("up", "--json").out.partition("\n")[0]
        assert json.loads(line) == {"url": ready.url, "key": ready.key}


def test_a_key_of_the_users_own_is_not_shown(
    hearth: Any, started: list[Options], monkeypatch: pytest.MonkeyPatch
) -> None:
    started.append(Options(Path()))
    monkeypatch.setenv(OWN_KEY, "chosen-by-the-user-001")
    output = hearth("up").out
    assert f"the one in {OWN_KEY}" in output
    assert "chosen" not in output


@certificates.needed
def test_a_certificate_comes_with_its_key(
    hearth: Any, started: list[Options], tmp_path: Path
) -> None:
    tls = certificates.self_signed(tmp_path)
    hearth("up", "--tls-certificate", str(tls.certificate), "--tls-key", str(tls.key))
    assert started[0].tls == tls
    one = hearth("up", "--tls-key", str(tls.key))
    assert (one.code, "--tls-certificate" in one.err) == (2, True)


@certificates.needed
def test_a_certificate_that_cannot_be_used_is_said_before_anything_starts(
    hearth: Any, home: Path, tmp_path: Path
) -> None:
    tls = certificates.self_signed(tmp_path)
    for wrong in (tmp_path / "none.pem", tls.key):
        words = ("--tls-certificate", str(wrong), "--tls-key", str(tls.key))
        result = hearth("up", "--port", "0", "--no-model", *words)
        assert result.code == 1
        assert f"{wrong} with the key {tls.key} cannot be used" in result.err
    assert not (home / "logs").exists()


def test_a_port_in_use_is_said_before_anything_starts(hearth: Any, home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
        result = hearth("up", "--port", port, "--no-model")
    assert result.code == 1
    assert f"Port {port}" in result.err
    assert not (home / "logs").exists()


def test_without_one_there_is_nothing_to_tell_or_to_end(hearth: Any, home: Path) -> None:
    status = hearth("status")
    assert (status.code, "hearth up" in status.out) == (3, True)
    assert hearth("--json", "status").json == {"running": False}
    down = hearth("down")
    assert (down.code, "Nothing runs" in down.out) == (0, True)


def test_status_tells_of_all_parts_and_of_no_key(hearth: Any, home: Path) -> None:
    Store()
    with only_one(home) as say:
        say(STATE)
        found, text = hearth("--json", "status").json, hearth("status").out
    assert found["running"]
    assert (found["url"], found["pid"], found["restarts"]) == (STATE.url, 7, {"node": 3})
    assert found["models"] is None  # nobody answers there
    assert "does not say" in text
    assert "oh-secret" not in text + json.dumps(found)
    assert re.search(r"node +8 +3", text)


class Gateway(BaseHTTPRequestHandler):
    """Tells commands of this machine, and nobody else, which models there are."""

    def do_GET(self) -> None:
        known = self.headers["authorization"] == f"Bearer {STATE.key}"
        models = [
            {"id": "mine", "base": None, "state": "loaded", "load_seconds": 0.8125},
            {"id": "tuned", "base": "mine", "state": "loaded", "load_seconds": 0.8125},
            {"id": "other", "base": None, "state": "not_loaded", "load_seconds": None},
            {"id": "vectors", "base": None, "state": None, "load_seconds": None},
        ]
        self.send_response(200 if known and self.path == "/v1/models" else 401)
        self.end_headers()
        self.wfile.write(json.dumps({"data": models}).encode())


def test_status_tells_what_is_in_memory(hearth: Any, home: Path) -> None:
    Store()
    with HTTPServer(("127.0.0.1", 0), Gateway) as gateway, only_one(home) as say:
        Thread(target=gateway.serve_forever, daemon=True).start()
        say(replace(STATE, url=f"http://127.0.0.1:{gateway.server_port}"))
        found, text = hearth("--json", "status").json, hearth("status").out
        gateway.shutdown()
    assert found["models"] == [{"model": "mine", "load_seconds": 0.8125}]
    assert re.search(r"mine +0\.81 s", text)


@pytest.mark.parametrize("wrong", ["-1", "1e12", "soon"])
def test_how_long_models_stay_is_a_time(hearth: Any, started: list[Options], wrong: str) -> None:
    result = hearth("up", "--no-model", "--idle", wrong)
    assert result.code == 2
    assert "--idle" in result.err
    assert not started


def test_what_does_not_end_is_said(
    hearth: Any, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Store()
    signals: list[int] = []
    monkeypatch.setattr(up.os, "kill", lambda pid, number: signals.append(pid))
    monkeypatch.setattr(up, "ENDING", 0.0)
    with only_one(home) as say:
        say(STATE)
        result = hearth("down")
    assert signals == [7]
    assert result.code == 1
    assert "kill -9 7" in result.err
