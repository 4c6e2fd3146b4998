"""How each fault looks on the wire: steps in place of those of the answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from openhearth.bench.stub import events
from openhearth.bench.stub.truth import Fault

Step = tuple[float, bytes]  # seconds after the step before, and what is written then
STATUS: Mapping[Fault, tuple[int, str, bytes]] = {
    "key": (401, "this key is not known", b""),
    "rate_limit": (429, "too many requests", b"retry-after: 1\r\n"),
    "refused": (400, "this is no request", b""),
    "server": (500, "something broke", b""),
    "redirect": (307, "elsewhere", b"location: http://127.0.0.1:1/\r\n"),
}
# Which of them leave the connection open without an end, and which close it.
SILENT = ("silence", "stall", "endless")
CLOSING = ("hang_up", "die", "no_http")
WIDE = b"x" * 2**20
MIDDLE: Mapping[Fault, bytes] = {
    "die": b"",
    "stall": b"",
    "stop": events.chunked(b""),
    "broken_event": events.chunked(b'data: {"choices": [\n\n') + events.chunked(b""),
    "error_event": events.event({"error": {"message": "out of luck"}}) + events.chunked(b""),
}


def possible(fault: Fault | None, *, streams: bool) -> Fault | None:
    """The fault, or that which comes nearest to it where nothing is streamed."""
    if streams or fault not in (*MIDDLE, "whole", "empty", "endless"):
        return fault
    return {"stall": "silence", "whole": None}.get(fault, "die")


def faulty(fault: Fault, steps: Sequence[Step]) -> list[Step]:
    """The steps of an answer that goes wrong; `steps` are those of one that does not: the head,
    the role, the content, the end.
    """
    if fault in STATUS:
        status, message, more = STATUS[fault]
        return [(0.0, events.error(status, message, more))]
    if fault in MIDDLE:
        return [*steps[: max(1, len(steps) // 2)], (0.0, MIDDLE[fault])]
    if fault == "whole":
        return list(steps)
    if fault == "empty":
        return [steps[0], (0.0, events.chunked(events.DONE) + events.chunked(b""))]
    if fault == "no_http":
        return [(0.0, b"SSH-2.0-OpenSSH_9.6\r\n")]
    if fault == "html":
        page = b"<!doctype html><title>Sign in</title>"
        return [(0.0, events.head(200, events.PAGE, len(page)) + page)]
    if fault == "endless":
        return [(0.0, steps[0][1] + b"fffffffff\r\ndata: "), *[(0.0, WIDE)] * 1024]
    return []  # hang_up, silence
