"""Running the application: a port that is checked before the model is loaded, and a clean end."""

from __future__ import annotations

import contextlib
import errno
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING

import uvicorn

from openhearth.errors import HearthError
from openhearth.platform.app import create_app
from openhearth.platform.keys import Keys

if TYPE_CHECKING:
    from openhearth.inference import Engine

GRACE_SECONDS = 5  # for answers under way when the server is asked to stop


def check_port(host: str, port: int) -> None:
    """Make sure that `serve` will be able to listen there; cheap, so call it before loading.

    Raises:
        HearthError: the port is in use or not allowed, or the host is not this machine's.
    """
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            # As uvicorn does: connections of the last run that are still closing do no harm.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise HearthError(_why(error, host, port)) from error


def _why(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"Port {port} on {host} is already in use: stop the program that has it, or choose "
            "another with --port."
        )
    if error.errno == errno.EACCES:
        return f"Port {port} needs special rights: choose one above 1023 with --port."
    return f"{host} is not an address of this machine ({error}): choose another with --host."


class _Server(uvicorn.Server):
    """A server that says when it listens."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready()


def serve(
    engine: Engine,
    keys: Keys,
    *,
    host: str = "127.0.0.1",
    port: int = 8080,
    ready: Callable[[], None] = lambda: None,
) -> None:
    """Serve until SIGINT or SIGTERM, then close the engine; `ready` is called once it listens.

    Raises:
        HearthError: the port is in use.
    """
    config = uvicorn.Config(
        create_app(engine, keys),
        host=host,
        port=port,
        log_level="warning",
        server_header=False,
        ws="none",
        lifespan="off",
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    with contextlib.closing(engine), contextlib.suppress(KeyboardInterrupt):
        check_port(host, port)
        _Server(config, ready).run()
