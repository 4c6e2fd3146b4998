"""The stub's server: connections, who is next, and what each request gets."""

from __future__ import annotations

import asyncio
import re
import ssl
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, cast

import numpy as np
import orjson

from openhearth.bench.stub import events
from openhearth.bench.stub.answers import Answer, Answers
from openhearth.bench.stub.faults import Step, faulty, possible
from openhearth.bench.stub.truth import Fault, Truth
from openhearth.bench.stub.vectors import embeddings
from openhearth.bench.stub.work import Entry, Work
from openhearth.errors import UsageError

LOGGED = 20_000  # requests
WRONG = (ValueError, KeyError, TypeError, AttributeError, IndexError, UsageError)


class Stub:
    """A server's state, which all connections share."""

    def __init__(self, truth: Truth) -> None:
        self.truth = truth
        self.log: deque[Entry] = deque(maxlen=LOGGED)
        self._answers = Answers(truth)
        self._rng = np.random.default_rng(truth.seed)
        self._busy = 0
        self._waiting: deque[Work] = deque()
        self._first: float | None = None
        self._taken: deque[float] = deque()  # when requests of the last second came
        self._number = 0
        times = (truth.first.median_s, truth.prompt_s, truth.gap.median_s)
        self._quick = truth.canned is not None and not any(times) and not truth.faults
        self._prepared: dict[tuple[str, bool, bool], bytes] = {}

    @property
    def under_way(self) -> int:
        """Requests that are worked on or wait."""
        return self._busy + len(self._waiting)

    def take(self, transport: asyncio.Transport, route: str, key: str, data: bytes) -> Work | None:
        """A request has come. None: it has been answered."""
        now = time.monotonic()
        self._first = now if self._first is None else self._first
        entry = Entry(self._number, now, route)
        self._number += 1
        self.log.append(entry)
        refusal = self._refusal(now, key)
        if refusal is None:
            try:
                steps, content = self._steps(entry, route, orjson.loads(data))
            except WRONG as error:
                refusal = events.error(400, f"no request: {type(error).__name__}: {error}")
        if refusal is not None:
            transport.write(refusal)
            entry.ended = now
            return None
        work = Work(transport, entry, steps, content, self._over)
        self._begin(work)
        return work

    def _begin(self, work: Work) -> None:
        if self.truth.at_once is not None and self._busy >= self.truth.at_once:
            self._waiting.append(work)
            return
        self._busy += 1
        work.begin()

    def _over(self, work: Work) -> None:
        if work.entry.began is None:  # it had not begun
            self._waiting.remove(work)
            return
        self._busy -= 1
        if self._waiting:
            self._begin(self._waiting.popleft())

    def _refusal(self, now: float, key: str) -> bytes | None:
        if self.truth.key and key != f"Bearer {self.truth.key}":
            return events.error(401, f"the key {key.removeprefix('Bearer ')} is not known")
        if self.truth.rate_limit is not None:
            while self._taken and self._taken[0] < now - 1:
                self._taken.popleft()
            if len(self._taken) >= self.truth.rate_limit:
                return events.error(429, "too many requests", b"retry-after: 1\r\n")
            self._taken.append(now)
        return None

    def _steps(self, entry: Entry, route: str, body: Any) -> tuple[list[Step], range]:
        truth = self.truth
        if body["model"] != truth.model:
            return [(0.0, events.error(404, f"there is no model {body['model']!r}"))], range(0)
        streams = bool(body.get("stream"))
        if self._quick and route != "embeddings":
            return self._at_once(entry, route, body, streams)
        entry.fault = possible(self._fault(), streams=streams)
        if route == "embeddings":
            vectors = embeddings(body, truth.dimensions, truth.model, truth.usage_factor)
            steps = _whole(self._first_after(entry, 0, 1.0), vectors)
        else:
            answer = self._answers.answer(body, self.under_way)
            entry.tokens = len(answer.pieces) - answer.echoed
            entry.lied, entry.stored = answer.lied, answer.stored
            form = events.Form(answer, truth.usage_factor, chat=route == "chat/completions")
            steps = self._answer(entry, body, answer, form, streams and entry.fault != "whole")
        content = range(2, len(steps) - 1) if streams else range(1, 2)
        return (faulty(entry.fault, steps) if entry.fault else steps), content

    def _at_once(
        self, entry: Entry, route: str, body: Mapping[str, Any], streams: bool
    ) -> tuple[list[Step], range]:
        """The one answer that everybody gets, made once."""
        entry.tokens = self.truth.canned or 0
        kind = (route, streams, "stream_options" in body)
        if kind not in self._prepared:
            answer = self._answers.answer(body, 0)
            form = events.Form(answer, self.truth.usage_factor, chat=route == "chat/completions")
            steps = self._answer(entry, body, answer, form, streams)
            self._prepared[kind] = b"".join(data for _, data in steps)
        return [(0.0, self._prepared[kind])], range(1)

    def _answer(
        self,
        entry: Entry,
        body: Mapping[str, Any],
        answer: Answer,
        form: events.Form,
        streams: bool,
    ) -> list[Step]:
        by = self.truth.stored_by if answer.stored else 1.0
        first = self._first_after(entry, answer.prompt_tokens, by)
        count = -(-len(answer.pieces) // self.truth.chunk)
        gaps = [self._slowed(entry) * by * self.truth.gap.draw(self._rng) for _ in range(count - 1)]
        if not streams:
            return _whole(first + sum(gaps), form.whole())
        written = zip([first, *gaps], form.events(self.truth.chunk), strict=False)
        last = form.last(usage=bool((body.get("stream_options") or {}).get("include_usage")))
        head = events.head(200, events.STREAM)
        return [(0.0, head), (0.0, form.role()), *written, (0.0, last)]

    def _first_after(self, entry: Entry, prompt_tokens: int, by: float) -> float:
        truth = self.truth
        drawn = truth.first.draw(self._rng) + truth.prompt_s * prompt_tokens
        return drawn * by * self._slowed(entry)

    def _slowed(self, entry: Entry) -> float:
        after, first = self.truth.slower_after_s, self._first or 0.0
        return self.truth.slower_by if after is not None and entry.came - first >= after else 1.0

    def _fault(self) -> Fault | None:
        if not self.truth.faults:
            return None
        place = self._rng.random()
        for fault, share in self.truth.faults.items():
            if place < share:
                return fault
            place -= share
        return None


def _whole(after: float, value: Any) -> list[Step]:
    head, separator, body = events.whole(200, value).partition(b"\r\n\r\n")
    return [(0.0, head + separator), (after, body)]


HEADER = re.compile(
    rb"^(content-length|authorization):[ \t]*(.*?)\r$", re.IGNORECASE | re.MULTILINE
)
ROUTES = {b"/v1/chat/completions", b"/v1/completions", b"/v1/embeddings"}


class Connection(asyncio.Protocol):
    """One client's, kept open; it reads requests one after another."""

    def __init__(self, stub: Stub) -> None:
        self._stub = stub
        self._came = b""
        self._work: Work | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop has types of its own

    def data_received(self, data: bytes) -> None:
        self._came += data
        head, separator, body = self._came.partition(b"\r\n\r\n")
        if not separator:
            return
        fields = {name.lower(): value for name, value in HEADER.findall(head + b"\r\n")}
        length = int(fields.get(b"content-length", b"0"))
        if len(body) >= length:
            self._came = body[length:]
            key = fields.get(b"authorization", b"").decode("latin-1")
            self._answer(head.split(b" ", 2), key, body[:length])

    def connection_lost(self, error: Exception | None) -> None:
        if self._work is not None:
            self._work.leave()

    def _answer(self, line: list[bytes], key: str, body: bytes) -> None:
        method, path = line[0], line[1] if len(line) > 1 else b""
        if method == b"POST" and path in ROUTES:
            route = path.decode().removeprefix("/v1/")
            self._work = self._stub.take(self._transport, route, key, body)
        elif path == b"/v1/models":
            models = [{"id": self._stub.truth.model, "object": "model"}]
            self._transport.write(events.whole(200, {"object": "list", "data": models}))
        elif path == b"/stub/log":
            log = [asdict(entry) for entry in self._stub.log]
            self._transport.write(events.whole(200, log))
        else:
            self._transport.write(events.error(404, "there is nothing here"))


async def serve(truth: Truth, port: int) -> None:
    """Answer until the process ends; prints the URL when it is ready."""
    context = None
    if truth.certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(truth.certificate, truth.private_key)
    stub = Stub(truth)
    server = await asyncio.get_running_loop().create_server(
        lambda: Connection(stub), "127.0.0.1", port, ssl=context, backlog=1024
    )
    scheme = "http" if context is None else "https"
    print(f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()
