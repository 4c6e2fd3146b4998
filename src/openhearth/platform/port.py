"""The port to listen on: whether it can be had, and what its URL is."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from openhearth.errors import HearthError
from openhearth.platform.tls import Tls

EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # and how to get there


@contextmanager
def bound(host: str, port: int) -> Iterator[socket.socket]:
    """A socket that has the port, and does not listen yet; port 0 is any that is free.

    Raises:
        HearthError: the port is in use or not allowed, or the host is not this machine's.
    """
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind)
    except OSError as error:
        raise HearthError(_why(error, host, port)) from error
    with listener:
        try:
            # As uvicorn does: connections of the last run that are still closing do no harm.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
        except OSError as error:
            raise HearthError(_why(error, host, port)) from error
        yield listener


def check_port(host: str, port: int) -> None:
    """Make sure that `serve` will be able to listen there; cheap, so call it before loading.

    Raises:
        HearthError: as `bound` does.
    """
    with bound(host, port):
        pass


def url_of(host: str, port: int, tls: Tls | None = None) -> str:
    """Where a server that listens there is called from this machine; with TLS, by a name that its
    certificate is for. Raises what `Tls.name_for` raises.
    """
    host = EVERYWHERE.get(host, host)
    host = tls.name_for(host) if tls else host
    scheme = "https" if tls else "http"
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def _why(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"Port {port} on {host} is already in use: stop the program that has it, or choose "
            "another with --port."
        )
    if error.errno == errno.EACCES:
        return f"Port {port} needs special rights: choose one above 1023 with --port."
    return f"{host} is not an address of this machine ({error}): choose another with --host."
