"""All of the platform on one machine: a broker, a gateway, a node and a worker, kept alive.

They are processes, each of which may die: it is started again, and the others go on. The sockets
that listen are the supervisor's, so that callers wait while a gateway starts, and are not refused:
one for everybody, and one of the loopback, without TLS, for commands and jobs on this machine. All
of them end with the supervisor, however that ends.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

from openhearth.errors import HearthError
from openhearth.fleet.broker import BUS, Broker
from openhearth.platform.children import Child, Revival
from openhearth.platform.keys import FIRST_KEY, LOCAL_KEY, OWN_KEY, fresh_key
from openhearth.platform.port import bound, url_of
from openhearth.platform.running import Running, log_of, only_one
from openhearth.platform.tls import Tls
from openhearth.processes import LOOPBACK, attached
from openhearth.store import Store

LOOK = 0.05  # seconds between looks at the children
ANSWERING = 2.0  # seconds that the gateway may take to answer, before it is asked again
TRIES = 4  # deaths of a process before all is ready, after which it is given up
STARTING = 120.0  # seconds; it takes two
# Seconds to end in, and the order: a worker hands its job back through the gateway.
GRACE = {"worker": 12.0, "gateway": 8.0, "node": 5.0}
OK, UNKNOWN_KEY = 200, 401
BACKLOG = 2048  # connections that wait while a gateway starts
DIRECTLY = urllib.request.build_opener(urllib.request.ProxyHandler({}))

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Options:
    """How a platform is to run. `models` are those of the catalogue that are to be there before it
    is ready; `engine` are settings of the engines; organisations begin with `credits`, in
    millionths of a cent, and projects may keep `storage` bytes of uploads. A model that nobody asks
    leaves memory after `idle` seconds.
    """

    home: Path
    host: str = "127.0.0.1"
    port: int = 8080
    tls: Tls | None = None
    models: Sequence[str] = ()
    credits: int = 0
    storage: int | None = None
    idle: float | None = None
    engine: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Ready:
    """Where it answers, and a key: that of the `first` start, or one for this start only."""

    url: str
    key: str
    first: bool


class Supervisor:
    """Starts everything, and keeps it alive until it is told to stop."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._stop = threading.Event()
        self._first, self._key = fresh_key(), fresh_key()
        self._since = int(time.time())
        self._url = self._local = ""
        self._children: list[Child] = []
        self._ready = False
        self._said: Running | None = None
        self._trouble = ""  # what was logged last

    def run(self, ready: Callable[[Ready], None]) -> None:
        """Until SIGINT or SIGTERM; from the main thread.

        `ready` is called once everything answers.

        Raises:
            HearthError: the port is in use, the certificate cannot be used, another platform runs
                over this home, or a part does not start; the text has its last words.
        """
        options = self._options
        with ExitStack() as stack:
            stack.enter_context(_told(self._stop))
            self._say = stack.enter_context(only_one(options.home))
            listener = stack.enter_context(bound(options.host, options.port))
            local = stack.enter_context(bound(LOOPBACK, 0))
            self._url = url_of(options.host, listener.getsockname()[1], options.tls)
            self._local = url_of(LOOPBACK, local.getsockname()[1])
            listener.listen(BACKLOG)
            local.listen(BACKLOG)
            self._broker = broker = stack.enter_context(Broker())
            self._broker_life = Revival(broker.start, lambda: broker.pid is not None)
            self._children = self._parts(listener.fileno(), local.fileno())
            stack.callback(self._end)
            stack.callback(listener.close)  # first of all, so that nobody else comes
            self._start(ready, stack.enter_context(_pulling(options)))
            while not self._stop.wait(LOOK):
                self._look()

    def _parts(self, listener: int, local: int) -> list[Child]:
        options, files = self._options, [listener, local]
        bus = {BUS: self._broker.url, "OPENHEARTH_HOME": str(options.home)}
        keys = {FIRST_KEY: self._first, LOCAL_KEY: self._key}
        gateway = ["--listener", str(listener), "--local", str(local)]
        gateway += ["--credits", str(options.credits)]
        if options.storage is not None:
            gateway += ["--storage", str(options.storage)]
        if options.tls is not None:
            gateway += ["--tls", str(options.tls.certificate), str(options.tls.key)]
        node = ["--engine", json.dumps(options.engine)]
        if options.idle is not None:
            node += ["--idle", str(options.idle)]
        return [
            self._part("gateway", "openhearth.platform.gateway", gateway, bus | keys, files),
            self._part("node", "openhearth.fleet.node", node, bus),
            self._part("worker", "openhearth.platform.jobs.worker", [], bus),
        ]

    def _part(
        self,
        name: str,
        module: str,
        more: Sequence[str],
        environment: dict[str, str],
        files: Sequence[int] = (),
    ) -> Child:
        home = self._options.home
        command = [sys.executable, "-m", module, "--home", str(home), *more]
        return Child(name, command, log_of(home, name), environment, files)

    def _start(self, ready: Callable[[Ready], None], pulling: Callable[[], bool]) -> None:
        """Wait until everything answers, and tell."""
        deadline = time.monotonic() + STARTING
        self._look()
        while not self._stop.is_set() and _status(f"{self._local}/readyz") != OK:
            self._look()
            for child in self._children:
                if child.deaths >= TRIES or time.monotonic() > deadline:
                    raise HearthError(
                        f"The {child.name} does not start ({child.last_words()}): {child.log} "
                        "says more."
                    )
            self._stop.wait(LOOK)
        while not self._stop.wait(LOOK) and pulling():
            self._look()
        if not self._stop.is_set():
            ready(self._found())
            self._ready = True

    def _found(self) -> Ready:
        if own := os.environ.get(OWN_KEY):
            if not self._is_key(own):
                raise HearthError(
                    f"The key in {OWN_KEY} was revoked, or has expired, and stays so: set another, "
                    "or none."
                )
            return Ready(self._url, own, first=False)
        first = self._is_key(self._first)
        return Ready(self._url, self._first if first else self._key, first)

    def _is_key(self, key: str) -> bool:
        """Whether the gateway, once it answers, lets that in."""
        status = 0
        while status not in (OK, UNKNOWN_KEY) and not self._stop.wait(LOOK):
            self._look()
            status = _status(f"{self._local}/v3/whoami", key)
        return status == OK

    def _look(self) -> None:
        """Start what has died, and write down what changed."""
        lives: list[Revival | Child] = [self._broker_life, *self._children]
        for life in lives:
            with self._whatever_fails():
                life.look()
        with self._whatever_fails():
            self._tell()

    @contextmanager
    def _whatever_fails(self) -> Iterator[None]:
        """Go on: a disk that is full now may not be so the next time."""
        try:
            yield
        except (OSError, HearthError) as error:
            if str(error) != self._trouble:
                self._trouble = str(error)
                log.error("%s", error)

    def _tell(self) -> None:
        said = Running(
            os.getpid(),
            self._url,
            self._local,
            self._key,
            self._since,
            self._ready,
            {"broker": self._broker.pid} | {child.name: child.pid for child in self._children},
            {"broker": self._broker_life.deaths} | {one.name: one.deaths for one in self._children},
        )
        if said != self._said:
            self._say(said)
            self._said = said

    def _end(self) -> None:
        children = {child.name: child for child in self._children}
        for name, seconds in GRACE.items():
            children[name].stop(seconds)


@contextmanager
def _told(stop: threading.Event) -> Iterator[None]:
    """SIGINT and SIGTERM set the event. A second one ends us at once, and the kernel the rest."""

    def tell(number: int, frame: object) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    before = {number: signal.signal(number, tell) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _pulling(options: Options) -> Iterator[Callable[[], bool]]:
    """Bring the models that are not there; whether that still goes on. Without, all else works."""
    known = Store(options.home).refs.all()
    hearth = [sys.executable, "-m", "openhearth.cli", "--home", str(options.home), "pull"]
    pulls = [
        subprocess.Popen(attached([*hearth, model]), stdin=subprocess.DEVNULL, stdout=sys.stderr)
        for model in options.models
        if model not in known
    ]
    try:
        yield lambda: any(pull.poll() is None for pull in pulls)
    finally:
        for pull in pulls:
            pull.terminate()
            pull.wait()


def ask(url: str, key: str) -> Any:
    """What our gateway answers, read as JSON; None if it refuses, or does not answer in time."""
    try:
        with DIRECTLY.open(_request(url, key), timeout=ANSWERING) as answer:
            return json.load(answer)
    except (OSError, HTTPException, ValueError):
        return None


def _request(url: str, key: str | None) -> urllib.request.Request:
    headers = {"authorization": f"Bearer {key}"} if key else {}
    return urllib.request.Request(url, headers=headers)  # noqa: S310  # it is our own


def _status(url: str, key: str | None = None) -> int:
    """With which status our gateway answers; 0 if it does not, in time."""
    try:
        with DIRECTLY.open(_request(url, key), timeout=ANSWERING) as answer:
            return answer.status
    except HTTPError as refusal:
        refusal.close()
        return refusal.code
    except (OSError, HTTPException):
        return 0
