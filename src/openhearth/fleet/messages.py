"""What gateways and nodes write to each other, as bytes: JSON whose shape is checked when read.

A gateway asks a node; the answer comes to the gateway as parts, many in one message, each of which
has its number in its stream. The subjects are here too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Annotated, Any

import orjson
from pydantic import BeforeValidator, Field, TypeAdapter, ValidationError

from openhearth.errors import HearthError, UsageError
from openhearth.fleet.broker import LARGEST
from openhearth.fleet.errors import BadMessage, error_of, kind_of
from openhearth.inference.request import Delta, Request, Timings, TokenLogprob, Usage
from openhearth.store.artifact import DIGEST

NODES, GATEWAYS = "beat.node", "beat.gateway"  # where they say that they are there
FULL = LARGEST - 2**16  # bytes; the rest is room for what is around
Name = Annotated[str, Field(max_length=64)]
OPTIONS = orjson.OPT_NON_STR_KEYS | orjson.OPT_SERIALIZE_NUMPY


def asks(node: str) -> str:
    """The subject on which a node is asked."""
    return f"node.{node}.ask"


def cancels(node: str) -> str:
    """The subject on which a node hears of a stream that nobody wants any more."""
    return f"node.{node}.cancel"


def answers(gateway: str) -> str:
    """The subject on which a gateway gets the parts of its streams."""
    return f"gateway.{gateway}.parts"


@dataclass(frozen=True)
class Ask:
    """A request, whose model is a digest, to be answered as this stream to this gateway."""

    stream: Name
    gateway: Name
    request: Request


@dataclass(frozen=True)
class Cancel:
    """Nobody wants this stream any more."""

    stream: Name


@dataclass(frozen=True)
class Part:
    """Number `number` of a stream: a delta, or the error that ends it. With neither it only says
    that the stream goes on, and the number is that of the part which comes next. `accepted` says
    that an engine has the request, and has found nothing wrong with it; before, it waited so many
    seconds for the `loading` of its model, none if that was in memory.
    """

    stream: str
    number: int
    delta: Delta | None = None
    error: HearthError | None = None
    accepted: bool = True
    loading: float = 0.0


@dataclass(frozen=True)
class Load:
    """How a model came into memory: `seconds` from when it was asked for until it could answer, the
    `bytes` of its files, and when that was, `at`, in seconds of UTC.
    """

    seconds: Annotated[float, Field(ge=0)]
    bytes: Annotated[int, Field(ge=0)]
    at: float


@dataclass(frozen=True)
class NodeBeat:
    """A node is there. `models` are digests of what it has; `loads` those of the models that are in
    memory, and how they came there. It answers `running` streams, of at most `room`, and takes no
    new ones if it is `draining`.
    """

    id: Name
    models: tuple[str, ...] = ()
    loads: dict[str, Load] = field(default_factory=dict)
    running: int = 0
    room: int = 0
    draining: bool = False


@dataclass(frozen=True)
class GatewayBeat:
    """A gateway is there and wants the answers to what it asked."""

    id: Name


@dataclass(frozen=True)
class Connection:
    """A connection to the broker, as it describes it."""

    name: str = ""


@dataclass(frozen=True)
class Left:
    """What the broker tells of a connection that has ended; of much else only this is read."""

    client: Connection


def encode(message: Ask | Cancel | NodeBeat | GatewayBeat) -> bytes:
    """As bytes.

    Raises:
        UsageError: it is too large, or has a text that is no Unicode.
    """
    try:
        data = orjson.dumps(message, option=OPTIONS)
    except orjson.JSONEncodeError as error:
        raise UsageError(f"The request cannot be sent to a node ({error}): correct it.") from error
    if len(data) > FULL:
        raise UsageError(f"The request has {len(data):,} bytes, but may have {FULL:,}: shorten it.")
    return data


def decode_ask(data: bytes) -> Ask:
    """Raises `BadMessage`, as all that read."""
    ask = _read(ASK, data)
    if not DIGEST.fullmatch(ask.request.model):
        raise BadMessage("What came over the bus asks for what is no digest.")
    return ask


def decode_cancel(data: bytes) -> str:
    """The stream that nobody wants any more."""
    return _read(CANCEL, data).stream


def decode_node(data: bytes) -> NodeBeat:
    """A beat of a node."""
    return _read(NODE, data)


def decode_gateway(data: bytes) -> GatewayBeat:
    """A beat of a gateway."""
    return _read(GATEWAY, data)


def decode_left(data: bytes) -> str:
    """The name of the member that is gone, as the broker tells it; empty if it had none."""
    return _read(LEFT, data).client.name


def encode_parts(node: str, parts: Iterable[Part]) -> Iterator[bytes]:
    """Parts that a node sends to one gateway, in as few messages as are large enough for them."""
    rows: list[bytes] = []
    size = 0
    for part in parts:
        row = _row(part)
        if rows and size + len(row) > FULL:
            yield _message(node, rows)
            rows, size = [], 0
        rows.append(row)
        size += len(row) + 1
    if rows:
        yield _message(node, rows)


def decode_parts(data: bytes) -> tuple[str, list[Part]]:
    """The node, and the parts that it sent."""
    node, rows = _read(PARTS, data)
    return node, [_part(*row) for row in rows]


# A delta as a row of its fields, in their order. JSON has no infinity; null stands for it.
Logprob = Annotated[float, BeforeValidator(lambda value: float("-inf") if value is None else value)]
Top = tuple[int, str, Logprob]
Row = tuple[
    Name,
    Annotated[int, Field(ge=0)],
    tuple[
        str,
        tuple[int, ...],
        tuple[tuple[int, str, Logprob, tuple[Top, ...]], ...],
        Name | None,
        tuple[int, int, int] | None,
        tuple[float, float, float] | None,
    ]
    | None,
    tuple[str, str] | None,
    bool,
    Annotated[float, Field(ge=0)],
]
PARTS = TypeAdapter[Any](tuple[Name, list[Row]])
ASK, CANCEL, NODE, GATEWAY, LEFT = (
    TypeAdapter[Any](kind) for kind in (Ask, Cancel, NodeBeat, GatewayBeat, Left)
)


def _read(shape: TypeAdapter[Any], data: bytes) -> Any:
    try:
        return shape.validate_json(data)
    except (ValidationError, UsageError) as error:
        words = " ".join(str(error).split())[:300]
        raise BadMessage(f"What came over the bus cannot be read: {words}") from error


def _row(part: Part) -> bytes:
    delta, error = part.delta, part.error
    failure = (kind_of(error), str(error).encode(errors="replace").decode()) if error else None
    fields = _fields(delta) if delta else None
    row = orjson.dumps((part.stream, part.number, fields, failure, part.accepted, part.loading))
    if len(row) <= FULL:
        return row
    return _row(Part(part.stream, part.number, error=UsageError("Ask for fewer logprobs.")))


def _fields(delta: Delta) -> tuple[Any, ...]:
    usage, timings = delta.usage, delta.timings
    return (
        delta.text,
        delta.tokens,
        [(one.id, one.text, one.logprob, one.top) for one in delta.logprobs],
        delta.finish_reason,
        (usage.prompt_tokens, usage.completion_tokens, usage.cached_tokens) if usage else None,
        (timings.queued, timings.first_token, timings.total) if timings else None,
    )


def _part(
    stream: str,
    number: int,
    delta: tuple[Any, ...] | None,
    failure: tuple[str, str] | None,
    accepted: bool,
    loading: float,
) -> Part:
    said, error = _delta(delta) if delta else None, error_of(*failure) if failure else None
    return Part(stream, number, said, error, accepted, loading)


def _delta(row: tuple[Any, ...]) -> Delta:
    text, tokens, logprobs, reason, usage, timings = row
    described = tuple(TokenLogprob(*one) for one in logprobs)
    cost, times = Usage(*usage) if usage else None, Timings(*timings) if timings else None
    return Delta(text, tokens, described, reason, cost, times)


def _message(node: str, rows: list[bytes]) -> bytes:
    return b"[%s,[%s]]" % (orjson.dumps(node), b",".join(rows))
