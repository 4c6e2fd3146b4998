"""Records with chosen times."""

from __future__ import annotations

from openhearth.bench.records import Chunk, Failure, Record


def record(
    due: float,
    *arrivals: float,
    tokens: int = 0,
    sent: float | None = None,
    failure: Failure | None = None,
) -> Record:
    """A request whose tokens came at these seconds."""
    return Record(
        0,
        "chat",
        "chat/completions",
        {},
        due,
        sent=due if sent is None else sent,
        ended=arrivals[-1] if arrivals else due,
        chunks=[Chunk(at, "x") for at in arrivals],
        completion_tokens=tokens or len(arrivals),
        failure=failure,
    )
