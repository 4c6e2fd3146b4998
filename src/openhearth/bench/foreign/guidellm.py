"""Reports of guidellm: the JSON that `guidellm run --output kind=json` writes (version 2).

A request has the times of its first and its last content and the number of tokens, but not the
times between: its record has two chunks, and the text stands at the second.
"""

from __future__ import annotations

from collections.abc import Iterator

import orjson
from pydantic import Field

from openhearth.bench.foreign.results import (
    DETAIL,
    Count,
    Foreign,
    Piece,
    Seconds,
    failure_of,
)
from openhearth.bench.records import Chunk, Failure, Record, Route

MISSING = (
    "times of chunks between the first and the last",
    "status codes",
    "finish reasons",
    "tokens by a neutral count",
)


class Timings(Piece):
    """Of one request, in seconds since 1970."""

    targeted_start: Seconds | None = None
    request_start: Seconds | None = None
    first_request_iteration: Seconds | None = None
    first_token_iteration: Seconds | None = None
    last_token_iteration: Seconds | None = None
    request_end: Seconds | None = None
    request_iterations: Count | None = None


class Info(Piece):
    """What the scheduler knows of a request."""

    timings: Timings = Timings()
    error: str | None = None


class Request(Piece):
    """One request and its answer."""

    request_args: str | None = None
    output: str | None = None
    info: Info = Info()
    prompt_tokens: Count | None = None
    cached_tokens: Count | None = None
    output_tokens: Count | None = None


class Requests(Piece):
    """All of a load, by how they ended."""

    successful: tuple[Request, ...] = ()
    errored: tuple[Request, ...] = ()
    incomplete: tuple[Request, ...] = ()


class Backend(Piece):
    """Whom it asked."""

    model: str = ""
    request_format: str = ""


class Config(Piece):
    """How it asked."""

    backend: Backend = Backend()


class Benchmark(Piece):
    """One load."""

    requests: Requests
    config: Config = Config()


class Metadata(Piece):
    """Of the whole file."""

    guidellm_version: str


class File(Piece):
    """The whole."""

    metadata: Metadata
    benchmarks: tuple[Benchmark, ...] = Field(min_length=1)


def read(content: bytes) -> Foreign:
    """What a report holds; raises pydantic's ValidationError where it is none."""
    file = File.model_validate_json(content)
    return Foreign(
        tool="guidellm",
        version=file.metadata.guidellm_version,
        model=file.benchmarks[0].config.backend.model,
        records=[
            record
            for point, benchmark in enumerate(file.benchmarks)
            for record in _records(point, benchmark)
        ],
        missing=MISSING,
    )


def _records(point: int, benchmark: Benchmark) -> Iterator[Record]:
    ended = benchmark.requests
    groups = ((ended.successful, None), (ended.errored, ""), (ended.incomplete, "incomplete"))
    known = [(one, how) for group, how in groups for one in group if _due(one) is not None]
    begin = min((due for one, _ in known if (due := _due(one)) is not None), default=0.0)
    is_chat = "chat" in benchmark.config.backend.request_format
    route: Route = "chat/completions" if is_chat else "completions"
    for number, (one, how) in enumerate(sorted(known, key=lambda pair: _due(pair[0]) or 0.0)):
        yield _record(number, point, one, route, begin, how)


def _due(request: Request) -> float | None:
    timings = request.info.timings
    return timings.request_start if timings.targeted_start is None else timings.targeted_start


def _record(
    number: int, point: int, one: Request, route: Route, begin: float, how: str | None
) -> Record:
    def since(at: float | None) -> float | None:
        return None if at is None else at - begin

    timings = one.info.timings
    first, last = since(timings.first_token_iteration), since(timings.last_token_iteration)
    chunks = [] if first is None else [Chunk(first, "")]
    if last is not None and last != first:
        chunks.append(Chunk(last, one.output or ""))
    elif chunks:
        chunks = [Chunk(chunks[0].at, one.output or "")]
    return Record(
        number=number,
        workload="foreign",
        route=route,
        request=_body(one.request_args),
        due=since(_due(one)) or 0.0,
        point=point,
        sent=since(timings.request_start),
        began=since(timings.first_request_iteration),
        ended=since(timings.request_end),
        chunks=chunks,
        events=timings.request_iterations or 0,
        prompt_tokens=one.prompt_tokens,
        cached_tokens=one.cached_tokens,
        completion_tokens=one.output_tokens,
        failure=_failure(one, how),
        detail=(one.info.error or how or "")[:DETAIL],
    )


def _failure(one: Request, how: str | None) -> Failure | None:
    if how is None:
        return None
    return Failure.BROKEN_OFF if how else failure_of(one.info.error or "")


def _body(arguments: str | None) -> dict[str, object]:
    """What was sent, which the file has as JSON within JSON."""
    try:
        body = orjson.loads(arguments or "{}").get("body")
    except (ValueError, AttributeError):
        return {}
    return body if isinstance(body, dict) else {}
