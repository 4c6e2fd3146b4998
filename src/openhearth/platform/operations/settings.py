"""The bounds on the whole server."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """`most_in_flight` requests are served at once; a body must not stop for `body_seconds`. Pages
    from other sites may call the API only if they are among `origins`.
    """

    most_in_flight: int = 512
    body_seconds: float = 30.0
    origins: tuple[str, ...] = ()
