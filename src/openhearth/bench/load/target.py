"""The server that is asked, and how it is reached."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson

from openhearth.bench.records import Route
from openhearth.errors import UsageError


@dataclass(frozen=True)
class Target:
    """A server of OpenAI's API: its URL without `/v1`, the model to ask for, a key, and a file of
    certificate authorities (PEM) to believe instead of the system's.
    """

    url: str
    model: str
    key: str = field(default="", repr=False)
    ca: Path | None = None

    @property
    def door(self) -> Door:
        """Where it is.

        Raises:
            UsageError: the URL, the key or the file of authorities is none.
        """
        try:
            url = urlsplit(self.url)
            port = url.port
        except ValueError as error:
            raise UsageError(f"{self.url!r} is no URL ({error}).") from error
        if url.scheme not in ("http", "https") or not url.hostname:
            raise UsageError(f"{self.url!r} is no URL of a server: write http:// or https://.")
        if url.username is not None or url.query or url.fragment:
            raise UsageError("A server's URL has no user, query or fragment: give a key apart.")
        if not (self.key.isascii() and self.key.isprintable()):
            raise UsageError("The key has characters that a header cannot hold.")
        path = url.path.rstrip("/").removesuffix("/v1")
        tls = self._tls() if url.scheme == "https" else None
        return Door(url.hostname, port or (443 if tls else 80), url.netloc, path, tls)

    def payload(self, door: Door, route: Route, body: Mapping[str, Any]) -> bytes:
        """A request, ready to be sent: `body` with the model, as a stream if the route has one, and
        nothing else (rule 8).
        """
        asked = dict(body) | {"model": self.model}
        if route != "embeddings":
            asked |= {"stream": True, "stream_options": {"include_usage": True}}
        data = orjson.dumps(asked)
        lines = [
            f"POST {door.path}/v1/{route} HTTP/1.1",
            f"Host: {door.name}",
            "Accept: */*",
            "Content-Type: application/json",
            f"Content-Length: {len(data)}",
            *([f"Authorization: Bearer {self.key}"] if self.key else []),
        ]
        return "\r\n".join([*lines, "", ""]).encode() + data

    def _tls(self) -> ssl.SSLContext:
        try:
            return ssl.create_default_context(cafile=self.ca)
        except OSError as error:  # of which ssl.SSLError is one
            raise UsageError(f"{self.ca} holds no certificates to believe ({error}).") from error


@dataclass(frozen=True)
class Door:
    """Host and port to connect to, the name to call it by, what goes before `/v1`, and TLS."""

    host: str
    port: int
    name: str
    path: str
    tls: ssl.SSLContext | None
