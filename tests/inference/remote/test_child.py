"""A server as a child: real processes that start, die, come back, and end with us."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from openhearth.errors import HearthError, MissingTool, UsageError
from openhearth.inference.executor import ELSEWHERE
from openhearth.inference.remote import child as module
from openhearth.inference.remote.child import PRESETS, Child
from openhearth.inference.remote.peer import Peer
from tests.waiting import until

SERVER = """
import http.server, os, sys, time
key = os.environ["VLLM_API_KEY"]
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        good = self.headers["authorization"] == "Bearer " + key
        self.send_response(200 if good else 401)
        self.end_headers()
        self.wfile.write(b'{"data": [{"id": "%d"}]}' % os.getpid())
print("talkative")
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


@pytest.fixture
def script(tmp_path: Path) -> str:
    path = tmp_path / "a server.py"
    path.write_text(SERVER)
    return str(path)


def running(script: str) -> Child:
    return Child(f"{sys.executable} {{model}} {{port}}", script)


def pid(child: Child) -> int | None:
    """The process that answers, which proves that the key is right."""
    try:
        return int(Peer(child.url, child.key).models()[0].id)
    except HearthError:
        return None


def is_alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_it_answers_to_its_key_until_it_is_stopped(
    script: str, capfd: pytest.CaptureFixture[str]
) -> None:
    child = running(script)
    child.wait(lambda: pid(child) is not None)
    process = pid(child)
    assert process
    with pytest.raises(HearthError, match="key"):
        Peer(child.url, "another").models()
    assert child.key not in Path(f"/proc/{process}/cmdline").read_text()
    child.stop()
    assert not is_alive(process)
    assert pid(child) is None
    assert capfd.readouterr().out == ""  # standard output is for results
    child.stop()


def test_it_comes_back_when_it_dies(script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAUSES", (0.01, 0.02))
    child = running(script)
    try:
        child.wait(lambda: pid(child) is not None)
        for _ in range(2):
            before = pid(child)
            assert before
            os.kill(before, signal.SIGKILL)
            until(lambda before=before: pid(child) not in (None, before))
    finally:
        child.stop()


def test_what_ends_at_once_is_told(script: str) -> None:
    child = Child(f"{sys.executable} -c 'raise SystemExit(3)' {{port}}", None)
    with pytest.raises(HearthError, match="ended: see what it says"):
        child.wait(lambda: False)
    child.stop()


def test_what_does_not_become_ready_is_told(script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STARTING", 0.1)
    child = running(script)
    with pytest.raises(HearthError, match="not ready within"):
        child.wait(lambda: False)
    child.stop()


def test_what_ignores_a_polite_request_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ENDING", 0.2)
    mark = tmp_path / "pids"
    code = (
        "import os, signal, subprocess, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
        "one = subprocess.Popen(['sleep', '1000']); "
        f"open({str(mark)!r}, 'w').write(f'{{os.getpid()}} {{one.pid}} '); time.sleep(1000)"
    )
    child = Child(f'{sys.executable} -c "{code}" {{port}}', None)
    until(lambda: mark.exists() and mark.read_text().endswith(" "))
    processes = [int(word) for word in mark.read_text().split()]
    child.stop()
    until(lambda: not any(map(is_alive, processes)))


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's signal is Linux's")
def test_it_ends_when_we_are_killed(script: str) -> None:
    code = (
        "import sys, time; from openhearth.inference.remote.child import Child; "
        "from openhearth.inference.remote.peer import Peer; "
        f"child = Child(sys.executable + ' {{model}} {{port}}', {script!r}); "
        "peer = Peer(child.url, child.key)\n"
        "def ready():\n"
        "    try:\n"
        "        return peer.models()\n"
        "    except Exception:\n"
        "        return False\n"
        "child.wait(ready); print(peer.models()[0].id, flush=True); time.sleep(1000)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    with parent:
        assert parent.stdout
        process = int(parent.stdout.readline())
        assert is_alive(process)
        parent.kill()
    until(lambda: not is_alive(process))


def test_no_thread_is_left(script: str) -> None:
    before = threading.active_count()
    child = running(script)
    child.stop()
    assert threading.active_count() == before


def test_wrong_commands_are_told() -> None:
    with pytest.raises(MissingTool, match="no-such-program"):
        Child("no-such-program {port}", None)
    with pytest.raises(UsageError, match="cannot be read"):
        Child("'python {port}", None)
    with pytest.raises(UsageError, match="directory"):
        Child("python {model} {port}", None)


def test_presets_and_their_names() -> None:
    assert ("remote", *PRESETS) == ELSEWHERE
    for template in PRESETS.values():
        assert "{model}" in template
        assert "127.0.0.1" in template
