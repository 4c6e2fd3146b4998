"""Running the application: a port that is checked before the model is loaded, and a clean end."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvicorn

from openhearth.errors import HearthError
from openhearth.platform.app import create_app
from openhearth.platform.caller import Authority
from openhearth.platform.port import check_port

if TYPE_CHECKING:
    from openhearth.inference import Engine

GRACE_SECONDS = 30  # for answers under way when the server is asked to stop
PROXIES = "FORWARDED_ALLOW_IPS"  # in the environment: their addresses, which uvicorn reads
KEEP_ALIVE_SECONDS = 75  # longer than proxies keep idle connections, so that they end them


@dataclass(frozen=True)
class Tls:
    """A certificate and its key, as PEM files."""

    certificate: Path
    key: Path

    def options(self) -> dict[str, Any]:
        """Uvicorn's.

        Raises:
            HearthError: they cannot be read, or do not belong together.
        """
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(self.certificate, self.key)
        except (OSError, ssl.SSLError) as error:
            raise HearthError(
                f"The certificate {self.certificate} with the key {self.key} cannot be used "
                f"({error}): give PEM files that belong together."
            ) from error
        return {"ssl_certfile": str(self.certificate), "ssl_keyfile": str(self.key)}


def uvicorn_options(grace: int, tls: Tls | None = None) -> dict[str, Any]:
    """How uvicorn runs our applications. Raises what `Tls.options` raises.

    What a proxy says of whom it asks for is believed only of proxies that were named.
    """
    return {
        "log_level": "warning",
        "access_log": False,
        "server_header": False,
        "proxy_headers": PROXIES in os.environ,
        "ws": "none",
        "lifespan": "off",
        "timeout_graceful_shutdown": grace,
        "timeout_keep_alive": KEEP_ALIVE_SECONDS,
    } | (tls.options() if tls else {})


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
    authority: Authority,
    *,
    host: str = "127.0.0.1",
    port: int = 8080,
    ready: Callable[[], None] = lambda: None,
    grace: int = GRACE_SECONDS,
    tls: Tls | None = None,
    **parts: Any,
) -> None:
    """Serve until SIGINT or SIGTERM, then close the engine; `ready` is called once it listens.

    Answers under way have `grace` seconds to end; a second signal ends them at once. `parts` are
    those of `create_app`.

    Raises:
        HearthError: the port is in use, or the certificate cannot be used.
    """
    with contextlib.closing(engine), contextlib.suppress(KeyboardInterrupt):
        check_port(host, port)
        app = create_app(engine, authority, **parts)
        config = uvicorn.Config(app, host=host, port=port, **uvicorn_options(grace, tls))
        _Server(config, ready).run()
