"""Another server as a process of ours: started, started again when it dies, ended with us.

It listens on the loopback with a key made for it, which it finds in its environment. It is the
leader of a session, so that Ctrl-C reaches it only through us and its own children end with it. On
Linux the kernel ends it when we are killed: it sends the signal when the thread ends that made the
process, so that thread waits for the process.
"""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import shlex
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable

from openhearth.errors import HearthError, MissingTool, UsageError
from openhearth.processes import LOOPBACK, attached, free_port

STARTING = 900.0  # seconds; a large model is read, and its kernels are compiled
ENDING = 15.0
PAUSES = (1.0, 60.0)  # seconds before it is started again: at first, and at most
STABLE = 60.0  # seconds that it runs before it is trusted again
STDERR = 2
# Where servers look for the key that they are to ask for.
KEYS = ("OPENHEARTH_API_KEY", "VLLM_API_KEY", "LLAMA_API_KEY")
PRESETS = {
    "vllm": "vllm serve {model} --host 127.0.0.1 --port {port} --enable-prompt-tokens-details",
    "sglang": "python3 -m sglang.launch_server --model-path {model} --host 127.0.0.1 --port {port} "
    "--enable-cache-report",
    "llama-server": "llama-server --model {model} --host 127.0.0.1 --port {port}",
}

log = logging.getLogger(__name__)


class Child:
    """The process of a command, in which `{model}` and `{port}` stand for what they say.

    Raises:
        UsageError: the command names a model, but there is none, or its quotes do not match.
        MissingTool: there is no such program.
    """

    def __init__(self, template: str, model: str | None) -> None:
        self.key = secrets.token_urlsafe(32)
        port = free_port()
        self.url = f"http://{LOOPBACK}:{port}/v1"
        self._command = _fill(template, model, port)
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._deaths = 0
        self._thread = threading.Thread(target=self._keep, name="child", daemon=True)
        self._thread.start()

    def wait(self, is_ready: Callable[[], bool]) -> None:
        """Until it is ready.

        Raises:
            HearthError: it ended before that, or took too long.
        """
        deadline = time.monotonic() + STARTING
        while not is_ready():
            if self._deaths or time.monotonic() > deadline:
                why = "ended" if self._deaths else f"was not ready within {STARTING:.0f} s"
                raise HearthError(
                    f"`{shlex.join(self._command)}` {why}: see what it says above, or try it alone."
                )
            self._stopping.wait(0.1)

    def stop(self) -> None:
        """End it, gently first. May be called again."""
        with self._lock:
            self._stopping.set()
            self._signal(signal.SIGTERM)
        self._thread.join(ENDING)
        self._signal(signal.SIGKILL)
        self._thread.join()

    def _keep(self) -> None:
        pause, longest = PAUSES
        while self._start() and self._process:
            began = time.monotonic()
            code = self._process.wait()
            self._deaths += 1
            self._signal(signal.SIGKILL)  # whatever it has left behind
            if self._stopping.is_set():
                return
            if time.monotonic() - began > STABLE:
                pause = PAUSES[0]
            log.warning("%s ended with %s; again in %g s", self._command[0], code, pause)
            self._stopping.wait(pause)
            pause = min(2 * pause, longest)

    def _start(self) -> bool:
        with self._lock:
            if self._stopping.is_set():
                return False
            self._process = subprocess.Popen(
                attached(self._command),
                stdin=subprocess.DEVNULL,
                stdout=STDERR,  # our standard output is for results
                env=os.environ | dict.fromkeys(KEYS, self.key),
                start_new_session=True,
            )
            return True

    def _signal(self, number: int) -> None:
        """Send a signal to the process and all that it has started."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, number)


def _fill(template: str, model: str | None, port: int) -> list[str]:
    if "{model}" in template and model is None:
        raise UsageError(
            "This model lies in the store in a form of its own, which other servers cannot read: "
            "name its directory or its file."
        )
    try:
        parts = shlex.split(template)
    except ValueError as error:
        raise UsageError(f"The command {template!r} cannot be read ({error}).") from error
    command = [p.replace("{port}", str(port)).replace("{model}", model or "") for p in parts]
    if shutil.which(command[0]) is None:
        raise MissingTool(f"{command[0]} is not installed here: install it, or give its path.")
    return command
