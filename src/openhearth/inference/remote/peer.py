"""A server that is not ours: its address, the key to it, its models, its streams.

It is a stranger: only http and https, no redirects, no proxies of the environment, nothing that it
sends is decompressed or read without bound. The key comes from the environment, goes nowhere but
into the header of requests to this address, and is in no message.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Annotated, Any

import httpx
from pydantic import BaseModel, Field, ValidationError

from openhearth.errors import HearthError, NotFound, UsageError
from openhearth.inference.remote.events import EventParser, TooLong
from openhearth.inference.remote.reply import message
from openhearth.inference.request import ContextTooLong, EngineBusy

KEY = "OPENHEARTH_REMOTE_KEY"
CONNECTING = 5.0  # seconds
SILENCE = 300.0  # seconds without a byte, as long as a queue may keep a request waiting
IDLE = 2.0  # seconds that a connection is kept; servers close theirs after five
MOST_TOLD = 2**16  # bytes of an error
MOST_LISTED = 2**23  # bytes of a list of models
BUSY = (429, 502, 503, 504)
TOO_LONG = (b"context_length_exceeded", b"exceed_context_size", b"maximum context length")
# Who asks a model need not know where it runs; who starts an engine must.
BEHIND = "The server behind this model"


class Unreachable(EngineBusy):
    """Nothing listens at a server's address, so nothing of the request was sent."""


class Listed(BaseModel):
    """A model that a server has; most tell, under one name or another, how long its context is."""

    id: str
    owned_by: str = ""
    context_length: Annotated[int, Field(ge=1)] | None = None
    max_model_len: Annotated[int, Field(ge=1)] | None = None

    @property
    def longest(self) -> int | None:
        """Tokens of a prompt with its answer, if that is known."""
        return self.max_model_len or self.context_length


class Listing(BaseModel):
    """What `GET /v1/models` answers."""

    data: list[Listed]


@dataclass(frozen=True)
class Peer:
    """`url` is what clients call the `base_url`. `silence` is in seconds without a byte.

    Raises:
        UsageError: the URL is no address of a server or holds more than that, or the key is none.
    """

    url: str
    key: str | None = field(default=None, repr=False)
    silence: float = SILENCE

    def __post_init__(self) -> None:
        object.__setattr__(self, "url", _address(self.url))
        if self.key and not re.fullmatch(r"[!-~]+", self.key):
            raise UsageError(f"The key in {KEY} has characters that no key has: set it again.")

    @classmethod
    def at(cls, url: str) -> Peer:
        """The server at a URL, with the key that the environment has for it."""
        return cls(url, os.environ.get(KEY) or None)

    def models(self) -> list[Listed]:
        """What the server can be asked for.

        Raises:
            Unreachable: it does not listen.
            HearthError: it does not answer, refuses, or is no server of models.
        """
        with (
            _explained(f"The server {self.url}"),
            httpx.Client(**self._settings()) as client,
            client.stream("GET", f"{self.url}/models") as response,
        ):
            content = b"".join(_bounded(response.iter_raw(), MOST_LISTED))
        if response.status_code != httpx.codes.OK:
            raise refusal(f"The server {self.url}", response.status_code, content[:MOST_TOLD])
        try:
            return Listing.model_validate_json(content).data
        except ValidationError as error:
            raise HearthError(
                f"{self.url}/models does not list models: is it an OpenAI-compatible server?"
            ) from error

    def client(self) -> httpx.AsyncClient:
        """Connections for the streams of one event loop; they close with it."""
        return httpx.AsyncClient(**self._settings())

    async def complete(
        self, client: httpx.AsyncClient, body: Mapping[str, Any], limit: int
    ) -> AsyncGenerator[bytes]:
        """The events of a completion, at most `limit` bytes; closing it closes the connection.

        Raises:
            Unreachable: the server does not listen.
            EngineBusy: it has too much to do.
            UsageError: it refuses the request.
            HearthError: it fails, stops in the middle, or sends too much.
        """
        parser = EventParser()
        with _explained(BEHIND):
            async with client.stream("POST", f"{self.url}/completions", json=body) as response:
                chunks = response.aiter_raw()
                if response.status_code != httpx.codes.OK:
                    told = await _beginning(chunks, MOST_TOLD)
                    raise refusal(BEHIND, response.status_code, told)
                async for chunk in chunks:
                    limit -= len(chunk)
                    if limit < 0:
                        raise TooLong("more than the answer can have")
                    for event in parser.feed(chunk):
                        yield event

    def _settings(self) -> dict[str, Any]:
        headers = {"accept-encoding": "identity"}
        if self.key:
            headers["authorization"] = f"Bearer {self.key}"
        return {
            "headers": headers,
            "timeout": httpx.Timeout(self.silence, connect=CONNECTING),
            "limits": httpx.Limits(max_connections=None, keepalive_expiry=IDLE),
            "follow_redirects": False,
            "trust_env": False,
        }


def refusal(who: str, status: int, content: bytes) -> HearthError:
    """What an answer that is none means for the request; `who` names the server."""
    words = _words(content)
    if status in (401, 403):  # its words may have a part of the key in them
        return HearthError(f"{who} refuses the key: set {KEY} to one that it accepts.")
    if status in BUSY:
        return EngineBusy(f"{who} has too much to do ({words}): send the request again later.")
    if status == httpx.codes.NOT_FOUND:
        return NotFound(f"{who} lacks what is asked for ({words}): see what it has.")
    if 300 <= status < 400:
        return HearthError(f"{who} sends elsewhere, which is not followed: use its final address.")
    if status < 500:
        kind = ContextTooLong if any(mark in content for mark in TOO_LONG) else UsageError
        return kind(f"{who} refuses the request ({words}): change it.")
    return HearthError(f"{who} failed with status {status} ({words}): its log says why.")


def _address(text: str) -> str:
    """A URL without a slash at its end; where it has no path, with the usual one."""
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL:
        url = httpx.URL()
    if url.userinfo:
        raise UsageError(f"Other users can read a key in a command: leave it out, and set {KEY}.")
    if url.scheme not in ("http", "https") or not url.host or url.query or url.fragment:
        raise UsageError(f"{text!r} is no server's address: write http://HOST:PORT/v1.")
    return str(url).rstrip("/") + ("" if url.path.strip("/") else "/v1")


@contextmanager
def _explained(who: str) -> Iterator[None]:
    """Failures on the way to the server, and of what comes from there, as errors to act on."""
    try:
        yield
    except (httpx.ConnectError, httpx.ConnectTimeout) as error:
        reason = str(error) or "no answer in time"
        raise Unreachable(f"{who} cannot be reached ({reason}): start it, or wait.") from error
    except httpx.TimeoutException as error:
        raise HearthError(f"{who} fell silent: send the request again.") from error
    except httpx.HTTPError as error:
        raise HearthError(f"{who} broke off ({error}): send the request again.") from error
    except TooLong as error:
        raise HearthError(f"{who} sent {error}, which is not read: see what it is.") from error


def _words(content: bytes) -> str:
    try:
        return message(json.loads(content))
    except (ValueError, RecursionError):
        return message(content.decode(errors="replace"))


def _bounded(chunks: Iterable[bytes], most: int) -> Iterator[bytes]:
    for chunk in chunks:
        most -= len(chunk)
        if most < 0:
            raise TooLong("a list without an end")
        yield chunk


async def _beginning(chunks: AsyncIterator[bytes], most: int) -> bytes:
    content = b""
    async for chunk in chunks:
        content += chunk
        if len(content) > most:
            break
    return content[:most]
