"""What to measure: a small file with a load, an objective, and what the gate asks.

The same recipe is run against any server; what differs from server to server (address, key, model,
prices) is not in it. Its digest is part of every report.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from openhearth.data.parse import first_fault, read_file
from openhearth.errors import NotFound, UsageError
from openhearth.store.artifact import canonical_json

PROTOCOL = 1  # the version of docs/reference/benchmark-protocol.md that this code carries out
LEAST = {"small": (60.0, 100), "full": (600.0, 1000)}  # seconds and requests of a point (rule 17)

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Workload = Literal[
    "chat", "long_context", "code", "summary", "structured", "agent", "embeddings", "batch"
]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Poisson(_Part):
    """Open loop: exponential gaps (rule 11)."""

    arrivals: Literal["poisson"] = "poisson"
    rate: Positive = 1.0  # requests a second


class Bursts(_Part):
    """Open loop: gaps of a gamma distribution, in heaps (rule 11)."""

    arrivals: Literal["bursts"]
    rate: Positive = 1.0
    shape: Positive = 0.25


class Trace(_Part):
    """Open loop: at the times, in seconds, that a file has, one a line."""

    arrivals: Literal["trace"]
    file: Path
    speed: Positive = 1.0


class Callers(_Part):
    """Closed loop: so many callers, each asking again when it has its answer. Never ranked."""

    arrivals: Literal["callers"]
    callers: Annotated[int, Field(ge=1, le=4096)] = 1


class AllAtOnce(_Part):
    """Everything is due at the beginning: what a batch is."""

    arrivals: Literal["all_at_once"]


Load = Annotated[Poisson | Bursts | Trace | Callers | AllAtOnce, Field(discriminator="arrivals")]


class Objective(_Part):
    """Bounds, and the share of requests that must keep all of them (rule 27)."""

    ttft_ms: Positive = 2000.0
    tpot_ms: Positive = 100.0
    fluidity: Share = 0.9
    share: Annotated[float, Field(gt=0, lt=1)] = 0.9


class Gate(_Part):
    """What is asked to compare the served model with its reference (rules 31 to 37)."""

    canaries: Annotated[float, Field(ge=0.05, le=0.5)] = 0.05  # of the timed load
    prompts: Annotated[int, Field(ge=2, le=1000)] = 25  # of the two samples
    samples: Annotated[int, Field(ge=2, le=100)] = 10  # a prompt and side
    max_tokens: Annotated[int, Field(ge=1, le=512)] = 50
    tasks: Annotated[int, Field(ge=1, le=5000)] = 50  # items of each task


class Recipe(_Part):
    """One measurement."""

    protocol: Literal[1] = 1
    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
    about: str = ""
    tier: Literal["small", "full"] = "small"
    workloads: Annotated[dict[Workload, Positive], Field(min_length=1)]  # shares of the requests
    load: Load = Poisson()
    seconds: Annotated[float, Field(gt=0, le=7 * 86400)] | None = None  # of a point
    requests: Annotated[int, Field(ge=1, le=10_000_000)] | None = None  # at least
    timeout_s: Positive = 120.0  # without a byte
    objective: Objective = Objective()
    gate: Gate | None = None
    tokenizer: str | None = None  # a model of the store; none: four bytes a token (rule 24)
    texts: str | None = None  # a corpus of the store or a file of text (rule 6)

    @property
    def shortest(self) -> float:
        """Seconds that a point lasts (rule 17)."""
        return self.seconds or LEAST[self.tier][0]

    @property
    def fewest(self) -> int:
        """Requests that a point has (rule 17)."""
        return self.requests or LEAST[self.tier][1]

    @property
    def ranked(self) -> bool:
        """Whether the load is one that tables take (rules 11 and 17)."""
        seconds, requests = LEAST[self.tier]
        long, many = self.shortest >= seconds, self.fewest >= requests
        return long and many and not isinstance(self.load, Callers)

    @property
    def digest(self) -> str:
        """Its SHA-256, over what it says after defaults were filled in."""
        return hashlib.sha256(canonical_json(self.model_dump(mode="json"))).hexdigest()

    @model_validator(mode="after")
    def _batch_alone(self) -> Recipe:
        if "batch" in self.workloads and (
            len(self.workloads) > 1 or not isinstance(self.load, AllAtOnce)
        ):
            raise ValueError("the workload batch stands alone, with arrivals: all_at_once")
        return self


def read_recipe(where: str) -> Recipe:
    """A recipe: a file, or the name of one that ships (`chat-small`).

    Raises:
        NotFound: there is none.
        UsageError: it is no recipe; the text says in which field.
    """
    path = Path(where)
    if not path.is_file():
        path = shipped(where)
    return parse_recipe(read_file(path, "recipe"), str(path))


def parse_recipe(value: Any, source: str) -> Recipe:
    """A recipe from plain data. `source` is what an error calls it.

    Raises:
        UsageError: it is none; the text says in which field.
    """
    try:
        return Recipe.model_validate(value)
    except ValidationError as error:
        where, reason = first_fault(error)
        raise UsageError(f"{source} is no recipe of a benchmark: {where}: {reason}.") from None


def shipped(name: str) -> Path:
    """The file of a recipe that comes with OpenHearth.

    Raises:
        NotFound: there is none of that name.
    """
    here = Path(__file__).with_name("recipes")
    folder = here if here.is_dir() else Path(__file__).parents[3] / "recipes" / "bench"
    names = sorted(path.stem for path in folder.glob("*.yaml"))
    if name not in names:
        raise NotFound(f"There is no recipe {name!r}: give a file, or one of {', '.join(names)}.")
    return folder / f"{name}.yaml"
