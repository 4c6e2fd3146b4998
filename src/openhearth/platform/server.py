"""Running the application: a port that is checked before the model is loaded, and a clean end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import uvicorn

from openhearth.platform.app import create_app
from openhearth.platform.caller import Authority
from openhearth.platform.port import check_port
from openhearth.platform.tls import Tls

if TYPE_CHECKING:
    from openhearth.inference import Engine

GRACE_SECONDS = 30  # for answers under way when the server is asked to stop
PROXIES = "FORWARDED_ALLOW_IPS"  # in the environment: their addresses, which uvicorn reads
KEEP_ALIVE_SECONDS = 75  # longer than proxies keep idle connections, so that they end them


def configured(app: Any, grace: int, tls: Tls | None = None, **where: Any) -> uvicorn.Config:
    """How uvicorn runs our applications. Raises what `Tls.context` raises.

    What a proxy says of whom it asks for is believed only of proxies that were named.
    """
    options: dict[str, Any] = {
        "log_level": "warning",
        "access_log": False,
        "server_header": False,
        "proxy_headers": PROXIES in os.environ,
        "ws": "none",
        "lifespan": "off",
        "timeout_graceful_shutdown": grace,
        "timeout_keep_alive": KEEP_ALIVE_SECONDS,
    }
    config = uvicorn.Config(app, **options, **where)
    config.load()
    config.ssl = tls.context() if tls else None
    return config


class WithLocal(uvicorn.Server):
    """A server that listens on another socket too, which is this machine's, and without TLS."""

    def __init__(self, config: uvicorn.Config, local: socket.socket) -> None:
        super().__init__(config)
        self._local = local

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        listened = asyncio.get_running_loop().create_server(
            self._protocol, sock=self._local, backlog=self.config.backlog
        )
        self.servers.append(await listened)

    def _protocol(self) -> asyncio.Protocol:
        made: Any = self.config.http_protocol_class
        return made(
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )


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
        _Server(configured(app, grace, tls, host=host, port=port), ready).run()
