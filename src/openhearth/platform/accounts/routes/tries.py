"""How often strangers may try to come in, as each password costs a fifth of a second.

There are three bounds within a minute: for the network that a try comes from, for the e-mail
address that it is about, and for all. Who is beyond the first takes nothing of the others. Whoever
is on this machine, or comes through a proxy on it that was not named, counts only for the others.
Windows are shared by what has the same checksum, so that strangers cannot fill the memory.
"""

from __future__ import annotations

import threading
import time
import zlib
from collections import defaultdict
from collections.abc import Callable
from ipaddress import IPv6Address, IPv6Network, ip_address

from openhearth.platform.limits import Window, too_many

FROM_ONE, ABOUT_ONE, OF_ALL = 60, 10, 600
CHECKSUMS = 2**16
HOST_BITS = 64  # of IPv6, which are all the same customer's


class Tries:
    """The tries of the last minute. May be used from any thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._from: defaultdict[int, Window] = defaultdict(Window)
        self._about: defaultdict[int, Window] = defaultdict(Window)
        self._all = Window()

    def count(self, host: str | None, email: str) -> None:
        """Count a try that came from a host.

        Raises:
            ApiError: 429, there were too many.
        """
        network = network_of(host)
        with self._lock:
            if network is not None:
                self._take(self._from[_checksum(network)], FROM_ONE)
            self._take(self._about[_checksum(email)], ABOUT_ONE)
            self._take(self._all, OF_ALL)

    def _take(self, window: Window, most: int) -> None:
        now = self._clock()
        if window.take(1, most, now) is None:
            wait = window.wait(1, most, now)
            raise too_many("There were too many tries within a minute", wait)


def network_of(host: str | None) -> str | None:
    """Whose an address is; None if it tells nothing of who asks."""
    try:
        address = ip_address(host or "")
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        address = address.ipv4_mapped or address
    if address.is_loopback:
        return None
    if isinstance(address, IPv6Address):
        return str(IPv6Network((int(address), HOST_BITS), strict=False))
    return str(address)


def _checksum(text: str) -> int:
    return zlib.crc32(text.encode(errors="replace")) % CHECKSUMS
