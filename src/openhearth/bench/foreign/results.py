"""What a foreign file holds, and how its parts are checked: it may come from anywhere."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from openhearth.bench.records import Failure, Record

Seconds = Annotated[float, Field(ge=0, le=1e11, allow_inf_nan=False)]  # since 1970, or a duration
Count = Annotated[int, Field(ge=0, lt=2**53)]

TIMEOUT = re.compile(r"time(d)?[ -]?out", re.IGNORECASE)
STATUS = re.compile(r"\b([345]\d\d)\b")
DETAIL = 300  # characters of an error that are kept


class Piece(BaseModel):
    """A part of a file: fields that we do not read may be anything."""

    model_config = ConfigDict(extra="ignore", frozen=True)


@dataclass(frozen=True)
class Foreign:
    """Records of each load (their `point`), whose model it was, and what the file does not tell."""

    tool: str
    version: str
    model: str
    records: Sequence[Record]
    missing: Sequence[str]


def failure_of(message: str, status: int | None = None) -> Failure:
    """The class of an error that is told in words, by the status in it if there is one."""
    found = STATUS.search(message)
    code = status if status is not None else int(found[1]) if found else 0
    if code in (401, 403):
        return Failure.KEY
    if code == 429:
        return Failure.RATE_LIMIT
    for least, failure in ((500, Failure.SERVER), (400, Failure.REFUSED), (300, Failure.REDIRECT)):
        if least <= code < least + 100:
            return failure
    return Failure.TIMEOUT if TIMEOUT.search(message) else Failure.CONNECTION
