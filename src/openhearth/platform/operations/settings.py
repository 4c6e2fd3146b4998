"""The bounds on the whole server."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """`most_in_flight` requests are served at once. A body must not stop for `body_seconds`, nor
    may all of it take longer than that and a second for each `body_rate` bytes. Pages from other
    sites may call the API only if they are among `origins`.
    """

    most_in_flight: int = 512
    body_seconds: float = 30.0
    body_rate: int = 2**13  # a GiB may take a day and a half
    origins: tuple[str, ...] = ()
