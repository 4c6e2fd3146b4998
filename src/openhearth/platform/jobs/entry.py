"""How the process of a job uses the gateway's own routes: with a key that is good for its lease.

What a batch asks for goes the way of all requests, with the rights, the limits and the prices of
whoever made the job; and a process that has lost its lease can spend nothing more. Nobody keeps
such a key: it is signed, and looked up in the table of jobs.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from openhearth.platform.jobs.job import HELD, Job, Lease
from openhearth.platform.jobs.jobs import Jobs

KEY = re.compile(r"job\.([A-Za-z0-9_-]{1,64})\.([0-9]{1,9})\.([0-9a-f]{64})")
LINE = "x-job-line"
LINES = re.compile(r"[a-z0-9-]{1,32}")

Caller = TypeVar("Caller")
Known = TypeVar("Known", covariant=True)


class Authority(Protocol[Known]):
    """What knows the keys of callers."""

    def is_slow_to_check(self, presented: str) -> bool: ...
    def check(self, presented: str) -> Known | None: ...


@dataclass(frozen=True)
class Pass:
    """Where the gateway is, and the key to it."""

    url: str
    key: str


class Entry(Generic[Caller]):
    """Makes and knows such keys. `rights` says as whom a job asks, or None if that has ended."""

    def __init__(self, url: str, jobs: Jobs, rights: Callable[[Job], Caller | None]) -> None:
        self.url = url
        self._jobs = jobs
        self._rights = rights
        self._secret = secrets.token_bytes(32)

    def admit(self, lease: Lease) -> Pass:
        """What a process needs that has this lease."""
        signature = self._signature(lease.id, lease.attempt)
        return Pass(self.url, f"job.{lease.id}.{lease.attempt}.{signature}")

    def is_slow_to_check(self, presented: str) -> bool:
        """Whether the database has to be asked."""
        return KEY.fullmatch(presented) is not None

    def check(self, presented: str) -> Caller | None:
        """As whom somebody asks who has this key; None if it is none, or no longer good."""
        match = KEY.fullmatch(presented)
        if match is None:
            return None
        name, attempt, signature = match[1], int(match[2]), match[3]
        if not hmac.compare_digest(signature, self._signature(name, attempt)):
            return None
        job = self._jobs.find(name)
        if job is None or job.state not in HELD or job.attempt != attempt:
            return None
        return self._rights(job)

    def _signature(self, job: str, attempt: int) -> str:
        return hmac.new(self._secret, f"{job}.{attempt}".encode(), hashlib.sha256).hexdigest()


class WithJobs(Generic[Caller]):
    """An authority that knows the keys of jobs beside those of callers."""

    def __init__(self, authority: Authority[Caller], entry: Entry[Caller]) -> None:
        self._authority = authority
        self._entry = entry

    def is_slow_to_check(self, presented: str) -> bool:
        """Whether checking a key has to wait for something."""
        slow = self._entry.is_slow_to_check(presented)
        return slow or self._authority.is_slow_to_check(presented)

    def check(self, presented: str) -> Caller | None:
        """As whom somebody asks."""
        return self._entry.check(presented) or self._authority.check(presented)


class Lines:
    """ASGI middleware within the guard: what a job asks for in a line of its own has an id that is
    the same in every attempt, so that it is charged once.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and "caller" in scope.get("state", {}):  # whose key was checked
            headers = Headers(scope=scope)
            match = KEY.fullmatch(headers.get("authorization", "").removeprefix("Bearer "))
            if match is not None:
                scope["state"]["job"] = match[1]
                if LINES.fullmatch(line := headers.get(LINE, "")):
                    scope["state"]["request_id"] = f"{match[1]}-{line}"
        await self.app(scope, receive, send)
