"""Records of aiperf: the `profile_export.jsonl` that it writes at `--export-level records`.

A request has the time to its first content and the times between all chunks, but no text, and it
is not told when it was due: it is due when it was handed out (`credit_issued_ns`), else when sent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Annotated

from pydantic import Field

from openhearth.bench.foreign.results import DETAIL, Count, Foreign, Piece, Seconds, failure_of
from openhearth.bench.records import Chunk, Record

MISSING = (
    "texts of requests and answers",
    "when requests were due",
    "finish reasons",
    "the version of aiperf",
    "the model's name",
    "tokens by a neutral count",
)
UNITS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0, "sec": 1.0}

Nanoseconds = Annotated[int, Field(ge=0, lt=2**63)]
Value = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Metric(Piece):
    """One figure of a request; a list of those between its chunks."""

    value: Value | Annotated[tuple[Value, ...], Field(max_length=1_000_000)]
    unit: str = ""


class Metadata(Piece):
    """When it was."""

    request_start_ns: Nanoseconds
    request_end_ns: Nanoseconds
    credit_issued_ns: Nanoseconds | None = None
    request_ack_ns: Nanoseconds | None = None
    benchmark_phase: str = "profiling"
    was_cancelled: bool = False


class Error(Piece):
    """How it failed."""

    code: int | None = None
    message: str = ""


class Line(Piece):
    """One request."""

    metadata: Metadata
    metrics: Mapping[str, Metric] = Field(default_factory=dict)
    error: Error | None = None

    @property
    def due(self) -> int:
        """Nanoseconds since 1970."""
        issued = self.metadata.credit_issued_ns
        return self.metadata.request_start_ns if issued is None else issued

    def seconds(self, name: str) -> list[Seconds]:
        """A figure in seconds, or all of a list of them; none if it is not there."""
        metric = self.metrics.get(name)
        if metric is None or metric.unit not in UNITS:
            return []
        values = metric.value if isinstance(metric.value, tuple) else (metric.value,)
        return [value * UNITS[metric.unit] for value in values]

    def count(self, *names: str) -> Count | None:
        """The first of these figures that is there, as a whole number."""
        for name in names:
            metric = self.metrics.get(name)
            if metric is not None and isinstance(metric.value, float) and metric.value < 2**53:
                return int(metric.value)
        return None


def read(content: bytes) -> Foreign:
    """What a file of records holds; raises pydantic's ValidationError where it is none."""
    lines = [Line.model_validate_json(line) for line in content.splitlines() if line.strip()]
    measured = sorted(
        (line for line in lines if line.metadata.benchmark_phase == "profiling"),
        key=lambda line: line.due,
    )
    begin = measured[0].due if measured else 0
    records = [_record(number, line, begin) for number, line in enumerate(measured)]
    return Foreign("aiperf", "", "", records, MISSING)


def _record(number: int, line: Line, begin: int) -> Record:
    def since(at: int | None) -> float | None:
        return None if at is None else (at - begin) / 1e9

    about, error = line.metadata, line.error
    sent = (about.request_start_ns - begin) / 1e9
    return Record(
        number=number,
        workload="foreign",
        route="chat/completions",
        request={},
        due=(line.due - begin) / 1e9,
        sent=sent,
        began=since(about.request_ack_ns),
        ended=since(about.request_end_ns),
        status=error.code if error is not None and error.code in range(600) else None,
        chunks=_chunks(sent, line.seconds("time_to_first_token"), line),
        prompt_tokens=line.count("usage_prompt_tokens", "input_sequence_length"),
        completion_tokens=line.count("usage_completion_tokens", "output_sequence_length"),
        hung_up=about.was_cancelled,
        failure=failure_of(error.message, error.code) if error is not None else None,
        detail=error.message[:DETAIL] if error is not None else "",
    )


def _chunks(sent: float, first: Sequence[float], line: Line) -> list[Chunk]:
    if not first:
        return []
    gaps = line.seconds("inter_chunk_latency")
    return [Chunk(at, "") for at in accumulate(gaps, initial=sent + first[0])]
