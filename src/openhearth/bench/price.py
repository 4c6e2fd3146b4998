"""What an hour or a token costs, and what that makes of a load (rules 46 to 49).

A price sheet is a small file of the person who runs or buys the system. Of hardware every machine
in the path is priced; of a service what its list says.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from openhearth.data.parse import first_fault, read_file
from openhearth.errors import MissingExtra, UsageError

THREE_YEARS = 3 * 8766  # hours
LITTLE_USE = 0.3  # of the time (rule 48)
MILLION = 1_000_000
ALIKE = 100.0  # times that an error of the costs may grow in the prices

Dollars = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class _Sheet(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    source: str = Field(min_length=1)  # where the prices are to be seen: a URL, an offer
    date: datetime.date


class Item(BaseModel):
    """A thing that is bought, with three years of support, or rented."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str
    quantity: Annotated[int, Field(ge=1)] = 1
    purchase: Dollars = 0.0  # of one
    per_hour: Dollars = 0.0  # of one, rented


class Hardware(_Sheet):
    """All that answers, and what it needs to run."""

    division: Literal["hardware"]
    items: Annotated[tuple[Item, ...], Field(min_length=1)]
    watts: Dollars = 0.0  # of all, on average under this load
    per_kwh: Dollars = 0.0
    hosting_per_hour: Dollars = 0.0

    @property
    def hour(self) -> float:
        """Dollars (rule 47)."""
        bought = sum(item.quantity * item.purchase for item in self.items) / THREE_YEARS
        rented = sum(item.quantity * item.per_hour for item in self.items)
        return bought + rented + self.watts / 1000 * self.per_kwh + self.hosting_per_hour


class Service(_Sheet):
    """A provider's list, in dollars per million tokens; cached input is input if not named."""

    division: Literal["service"]
    input: Dollars
    output: Dollars
    cached_input: Dollars | None = None

    def of(self, prompt: int, cached: int, completion: int) -> float:
        """Dollars for tokens as billed; `cached` are among those of the prompt."""
        held = self.input if self.cached_input is None else self.cached_input
        fresh = prompt - cached
        return (fresh * self.input + cached * held + completion * self.output) / MILLION


Sheet = Hardware | Service
SHEET: TypeAdapter[Sheet] = TypeAdapter(Annotated[Sheet, Field(discriminator="division")])


def read_sheet(path: Path) -> Sheet:
    """A price sheet from YAML.

    Raises:
        NotFound: there is no such file.
        UsageError: it is none; the text says in which field.
    """
    try:
        return SHEET.validate_python(read_file(path, "price sheet"))
    except ValidationError as error:
        where, reason = first_fault(error)
        raise UsageError(f"{path} is no price sheet: {where}: {reason}.") from None


@dataclass(frozen=True)
class Billed:
    """What a window of a load came to: tokens as the server's usage has them, and useful ones."""

    seconds: float
    requests: int
    prompt: int
    cached: int
    completion: int
    useful: int  # tokens of answers that met the objective, as the neutral tokenizer counts


@dataclass(frozen=True)
class Cost:
    """Dollars; None where nothing useful came. The window cost `spent`, for what was `billed`."""

    spent: float
    billed: Billed
    per_hour: float
    per_million_useful: float | None
    per_million_useful_at_30_percent: float | None
    per_thousand_requests: float | None
    useful_per_second_per_dollar_hour: float | None


def cost(sheet: Sheet, billed: Billed) -> Cost:
    """What the load costs by the sheet (rules 46 to 48)."""
    hours = billed.seconds / 3600
    if isinstance(sheet, Hardware):
        spent, idle = sheet.hour * hours, 1 / LITTLE_USE
    else:
        spent, idle = sheet.of(billed.prompt, billed.cached, billed.completion), 1.0
    useful = spent / billed.useful * MILLION if billed.useful else None
    hour = spent / hours if hours else 0.0
    return Cost(
        spent=spent,
        billed=billed,
        per_hour=hour,
        per_million_useful=useful,
        per_million_useful_at_30_percent=useful * idle if useful is not None else None,
        per_thousand_requests=spent / billed.requests * 1000 if billed.requests else None,
        useful_per_second_per_dollar_hour=(
            billed.useful / billed.seconds / hour if hour and billed.seconds else None
        ),
    )


@dataclass(frozen=True)
class Implied:
    """What a million tokens cost by themselves, as several mixes together say (rule 49).

    `cached_input` is None if none was billed. `residual` is the root mean square of what the prices
    miss, as a share of the mean cost.
    """

    input: float
    cached_input: float | None
    output: float
    residual: float


def implied(spent: Sequence[float], billed: Sequence[Billed]) -> Implied:
    """Prices of tokens from the dollars that windows of several mixes cost.

    Raises:
        UsageError: there are fewer than three mixes, or they are too much alike.
        MissingExtra: scipy is not installed.
    """
    try:
        from scipy.optimize import nnls
    except ModuleNotFoundError as error:
        raise MissingExtra("scipy", "bench") from error
    if len(billed) < 3:
        raise UsageError("Prices of input, cached input and output need three mixes or more.")
    tokens = np.array([[b.prompt - b.cached, b.cached, b.completion] for b in billed]) / MILLION
    dollars = np.asarray(spent, dtype=np.float64)
    billed_at_all = tokens.sum(axis=0) > 0
    if _likeness(tokens[:, billed_at_all]) > ALIKE:
        raise UsageError("The mixes are too much alike to tell prices of input and output apart.")
    prices, missed = nnls(tokens, dollars)
    residual = float(missed / np.sqrt(len(dollars)) / max(dollars.mean(), 1e-300))
    fresh, held, output = (float(price) for price in prices)
    return Implied(fresh, held if billed_at_all[1] else None, output, residual)


def _likeness(tokens: npt.NDArray[np.float64]) -> float:
    """How much errors of costs can grow in prices: the condition number of columns of length 1."""
    lengths = np.linalg.norm(tokens, axis=0)
    return float(np.linalg.cond(tokens / lengths)) if tokens.size else math.inf
