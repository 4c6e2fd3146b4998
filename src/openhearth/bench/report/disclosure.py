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
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Entry(_Part):
    """What was measured. `system` and `stake` are in the words of whoever ran this."""

    url: str
    model: str
    system: str = ""  # engine, version, settings, hardware
    stake: str = ""  # of whoever ran this, in the result (rule 4)
    approximations: tuple[str, ...] = ()  # rule 39
    prices: Annotated[Sheet, Field(discriminator="division")] | None = None


class Point(_Part):
    """One load. Records name it by its place in the list. `longer` is how many times the usual
    length it had (rule 18).
    """

    role: Role
    entry: Annotated[int, Field(ge=0)] = 0
    load: Load
    longer: Annotated[int, Field(ge=1, le=100)] = 1
    seed: int
    began: float  # seconds since 1970
    asks: Annotated[int, Field(ge=0)]  # that were due
    share: tuple[int, int] = (1, 1)  # which of how many machines had these
    interrupted: bool = False
    network_ms: tuple[float | None, float | None] = (None, None)  # by TCP: before, after (rule 30)


class Client(_Part):
    """Where the load came from."""

    machine: str
    software: dict[str, str]  # package -> version
    processes: int
    place: str = ""
    time_zone: str = "UTC"


class Disclosure(_Part):
    """The whole. `files` are the SHA-256 of those beside it."""

    protocol: Literal[1] = 1
    created: float
    recipe: Recipe
    seed: int
    beacon: str | None = None  # rule 9
    reference: str | None = None  # of the gate: a model's digest, or a server
    entries: tuple[Entry, ...]
    points: tuple[Point, ...]
    client: Client
    files: dict[str, Sha256] = {}
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
        """Whether a load was broken off (rule 58)."""
        return any(point.interrupted for point in self.points)

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
        raise UsageError(f"{directory} is no report: it has no {FILE} ({error}).") from error
    except ValidationError as error:
        where, reason = first_fault(error)
        raise UsageError(f"{path} is no disclosure: {where}: {reason}.") from None


def whole(value: Any) -> bytes:
    """Plain data as the report's files have it: indented, and equal for equal values."""
    return orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS)
