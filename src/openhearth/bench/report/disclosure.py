"""All that is needed to repeat a measurement and to check its report (rules 50, 52 and 54)."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated, Any, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from openhearth.bench.price import Sheet
from openhearth.bench.recipe import Load, Recipe
from openhearth.data.parse import first_fault
from openhearth.errors import UsageError
from openhearth.store.artifact import canonical_json

FILE = "disclosure.json"
LARGEST = 16 * 2**20  # bytes

Role = Literal["ranked", "search", "confirm", "alone", "twice", "gate", "again", "monitor"]
Words = Annotated[str, Field(max_length=2000)]
Moment = Annotated[float, Field(ge=0, lt=253402300800, allow_inf_nan=False)]  # until the year 9999
Milliseconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Seed = Annotated[int, Field(ge=0, lt=2**63)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Entry(_Part):
    """What was measured. `system` and `stake` are in the words of whoever ran this."""

    url: Words
    model: Words
    system: Words = ""  # engine, version, settings, hardware
    stake: Words = ""  # of whoever ran this, in the result (rule 4)
    approximations: Annotated[tuple[Words, ...], Field(max_length=100)] = ()  # rule 39
    prices: Annotated[Sheet, Field(discriminator="division")] | None = None


class Point(_Part):
    """One load. Records name it by its place in the list. `longer` is how many times the usual
    length it had (rule 18).
    """

    role: Role
    entry: Annotated[int, Field(ge=0)] = 0
    load: Load
    longer: Annotated[int, Field(ge=1, le=100)] = 1
    seed: Seed
    began: Moment  # seconds since 1970
    asks: Annotated[int, Field(ge=0, le=10_000_000)]  # that were due
    share: tuple[int, int] = (1, 1)  # which of how many machines had these
    interrupted: bool = False
    network_ms: tuple[Milliseconds | None, Milliseconds | None] = (
        None,
        None,
    )  # by TCP: before, after (rule 30)


class Client(_Part):
    """Where the load came from."""

    machine: Annotated[str, Field(max_length=100_000)]  # of all machines, where several shared
    software: Annotated[dict[Words, Words], Field(max_length=100)]  # package -> version
    processes: int
    place: Annotated[str, Field(max_length=100_000)] = ""
    time_zone: Words = "UTC"


class Disclosure(_Part):
    """The whole. `files` are the SHA-256 of those beside it."""

    protocol: Literal[1] = 1
    created: Moment
    recipe: Recipe
    seed: Seed
    beacon: Words | None = None  # rule 9
    reference: Words | None = None  # of the gate: a model's digest, or a server
    entries: Annotated[tuple[Entry, ...], Field(max_length=100)]
    points: Annotated[tuple[Point, ...], Field(max_length=10_000)]
    broken_off: bool = False  # before all was done
    client: Client
    files: Annotated[dict[str, Sha256], Field(max_length=100)] = {}
    signature: dict[str, str] | None = None

    @property
    def signed_bytes(self) -> bytes:
        """What the signature is of."""
        return canonical_json(self.model_dump(mode="json", exclude={"signature"}))

    @property
    def name(self) -> str:
        """The report's name: the SHA-256 of what is signed."""
        return hashlib.sha256(self.signed_bytes).hexdigest()

    @property
    def partial(self) -> bool:
        """Whether it was broken off (rule 58)."""
        return self.broken_off or any(point.interrupted for point in self.points)

    def to_bytes(self) -> bytes:
        """As the file has it."""
        return canonical_json(self.model_dump(mode="json"))


def read_disclosure(directory: Path) -> Disclosure:
    """That of a report.

    Raises:
        UsageError: the directory is no report, or its disclosure is damaged.
    """
    path = directory / FILE
    try:
        if path.stat().st_size > LARGEST:
            raise UsageError(f"{path} is larger than a disclosure can be.")
        return Disclosure.model_validate_json(path.read_bytes())
    except OSError as error:
        why = error.strerror or error
        raise UsageError(f"{directory} is no report: its {FILE} cannot be read ({why}).") from error
    except ValidationError as error:
        where, reason = first_fault(error)
        raise UsageError(f"{path} is no disclosure: {where}: {reason}.") from None


def whole(value: Any) -> bytes:
    """Plain data as the report's files have it: indented, and equal for equal values."""
    return orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS)
