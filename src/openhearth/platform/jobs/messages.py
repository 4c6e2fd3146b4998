"""What workers and the gateway say to each other about jobs: JSON, checked and bounded."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, StringConstraints, TypeAdapter

from openhearth.platform.jobs.job import LONGEST, SECONDS, Level

SUBJECT = "jobs"
MOST_BYTES = 900_000  # of a message: NATS carries a million
MOST_ROWS = 500  # events or metrics of a message

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,128}$")]
Kind = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,64}$")]
Seconds = Annotated[float, Field(gt=0, le=LONGEST)]
# PostgreSQL keeps no NUL in a text.
Text = Annotated[str, StringConstraints(pattern=r"^[^\x00]*$", max_length=8000)]
Step = Annotated[int, Field(ge=0, lt=2**63)]


class Message(BaseModel):
    """A part of a message; what nobody knows is refused."""

    model_config = ConfigDict(extra="forbid")


class EventRow(Message):
    """What is to be said of a job."""

    type: Kind | Name
    message: Text = ""
    data: dict[str, Any] = Field(default_factory=dict)
    level: Level = "info"


class MetricRow(Message):
    """Numbers of a step."""

    step: Step
    values: Annotated[dict[Name, FiniteFloat], Field(max_length=32)]


class AskLease(Message):
    """A worker asks for work."""

    op: Literal["lease"] = "lease"
    worker: Name
    kinds: Annotated[list[Kind], Field(min_length=1, max_length=64)]
    seconds: Seconds = SECONDS


class AskOver(Message):
    """A worker asks with which of these jobs nobody will go on."""

    op: Literal["over"] = "over"
    ids: Annotated[list[Name], Field(max_length=MOST_ROWS)]


class Held(Message):
    """What is said under a lease."""

    id: Name
    attempt: Annotated[int, Field(ge=1)]
    seconds: Seconds = SECONDS


class Renew(Held):
    """The worker is alive."""

    op: Literal["renew"] = "renew"


class Record(Held):
    """What the job has done."""

    op: Literal["record"] = "record"
    events: Annotated[list[EventRow], Field(max_length=MOST_ROWS)] = Field(default_factory=list)
    metrics: Annotated[list[MetricRow], Field(max_length=MOST_ROWS)] = Field(default_factory=list)
    checkpoint: dict[str, Any] | None = None


class Finish(Held):
    """The job is done."""

    op: Literal["finish"] = "finish"
    result: dict[str, Any]


class Fail(Held):
    """The job failed, or its process died."""

    op: Literal["fail"] = "fail"
    error: Text
    retry: bool


class Release(Held):
    """The job is handed back: for others, not before `wait` seconds have passed; or for good, if
    its process knew that it was to be `cancelled`.
    """

    op: Literal["release"] = "release"
    wait: Annotated[float, Field(ge=0, le=LONGEST)] = 0.0
    cancelled: bool = False


Ask = AskLease | AskOver | Renew | Record | Finish | Fail | Release
ASK: TypeAdapter[Ask] = TypeAdapter(Annotated[Ask, Field(discriminator="op")])


class Work(Message):
    """A lease, and what there is to do."""

    id: Name
    attempt: int
    kind: Kind
    organisation: str
    project: str
    payload: dict[str, Any]
    checkpoint: dict[str, Any] | None
    cancel: bool
    url: str | None = None  # of the gateway, and a key to it as long as the lease is held
    key: str | None = None


class Reply(Message):
    """The gateway's answer. `lost` says that the job is not the worker's any more, `refused` what
    is wrong with what it said, `over` with which jobs nobody will go on.
    """

    work: Work | None = None
    cancel: bool = False
    lost: bool = False
    over: list[str] = Field(default_factory=list)
    refused: str | None = None
