"""How far away a server is: the time of a TCP handshake (rule 30)."""

from __future__ import annotations

import socket
import statistics
import time
from dataclasses import dataclass

from openhearth.bench.load.target import Target
from openhearth.errors import HearthError

TRIES = 5
PATIENCE_S = 10.0


@dataclass(frozen=True)
class RoundTrip:
    """Of some handshakes with one address, without names and TLS, in seconds."""

    address: str
    least_s: float
    median_s: float


def round_trip(target: Target, tries: int = TRIES) -> RoundTrip:
    """Connect so many times.

    Raises:
        UsageError: the target is none.
        HearthError: nobody answers there.
    """
    door = target.door
    try:
        family, _, _, _, address = socket.getaddrinfo(
            door.host, door.port, type=socket.SOCK_STREAM
        )[0]
        times = [_handshake(family, address) for _ in range(tries)]
    except OSError as error:
        raise HearthError(
            f"There is no connection to {door.host}:{door.port} ({error}): check the URL."
        ) from error
    return RoundTrip(str(address[0]), min(times), statistics.median(times))


def _handshake(family: int, address: tuple[object, ...]) -> float:
    with socket.socket(family, socket.SOCK_STREAM) as one:
        one.settimeout(PATIENCE_S)
        begun = time.perf_counter()
        one.connect(address)
        return time.perf_counter() - begun
