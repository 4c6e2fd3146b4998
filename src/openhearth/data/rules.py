"""Rule sets: short TOML files of toggles over signals, and what each toggle removes.

A line of such a file is one rule: `name = { signal = "…", min = …, max = … }`. Further keys are
`on = "line"` (drop the lines outside the bounds, not the document), `of = "answer"` (look at the
assistant's text only) and `enabled = false`. A line signal on a document is its mean over lines.
An undefined value removes nothing.
"""

from __future__ import annotations

import difflib
import tomllib
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from openhearth.data.signals import SIGNALS
from openhearth.errors import NotFound, UsageError

SHIPPED = (
    Path(__file__).parent / "recipes",  # in a wheel
    Path(__file__).parents[3] / "recipes" / "data",  # in a checkout
)


class Rule(BaseModel):
    """One toggle: documents, or lines, whose signal lies outside min and max are removed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    signal: str
    min: float | None = None
    max: float | None = None
    on: Literal["document", "line"] = "document"
    of: Literal["text", "answer"] = "text"
    enabled: bool = True

    @model_validator(mode="after")
    def _makes_sense(self) -> Rule:
        if self.signal not in SIGNALS:
            near = difflib.get_close_matches(self.signal, SIGNALS, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise ValueError(f"there is no signal {self.signal!r}{hint}")
        if self.min is None and self.max is None:
            raise ValueError("a rule needs min or max")
        if self.on == "line" and (self.of == "answer" or not self.is_by_line):
            raise ValueError('on = "line" needs a signal of lines (rps_lines_…), of the text')
        return self

    @property
    def is_by_line(self) -> bool:
        """Whether its signal has a value for every line."""
        return self.signal.startswith("rps_lines_")

    def values(self, signals: pa.Table) -> np.ndarray:
        """This rule's value for each document, NaN where undefined."""
        column = signals.column(f"answer.{self.signal}" if self.of == "answer" else self.signal)
        if self.is_by_line:
            column = _means(column.combine_chunks())
        return pc.fill_null(column, float("nan")).to_numpy(zero_copy_only=False)

    def passes(self, values: np.ndarray) -> np.ndarray:
        """Which values lie within the bounds."""
        low = -np.inf if self.min is None else self.min
        high = np.inf if self.max is None else self.max
        return ~((values < low) | (values > high))


def _means(lists: pa.Array) -> pa.Array:
    """The mean of each list of numbers, null for an empty one."""
    means = [float(np.mean(values)) if values else None for values in lists.to_pylist()]
    return pa.array(means, pa.float64())


def load_rules(name: str) -> list[Rule]:
    """A shipped rule set by name (`gopher`), or one of the user's by path, in its order.

    Raises:
        NotFound: there is no such rule set.
        UsageError: it is not TOML, or a rule is wrong; the text says which.
    """
    path = Path(name)
    if path.suffix != ".toml":
        path = next((d / f"{name}.toml" for d in SHIPPED if (d / f"{name}.toml").is_file()), path)
    try:
        raw = tomllib.loads(path.read_text())
    except (FileNotFoundError, IsADirectoryError) as error:
        raise NotFound(
            f"There is no rule set {name!r}: use one of {', '.join(shipped())}, or a .toml file."
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not TOML: {error}.") from error
    return [_rule(path, rule, fields) for rule, fields in raw.items()]


def shipped() -> list[str]:
    """The names of the rule sets that come with OpenHearth."""
    return sorted({path.stem for directory in SHIPPED for path in directory.glob("*.toml")})


def _rule(path: Path, name: str, fields: object) -> Rule:
    if not isinstance(fields, dict):
        raise UsageError(f"{path}: {name} is not a rule; write {name} = {{ signal = …, max = … }}.")
    try:
        return Rule(name=name, **fields)
    except (ValidationError, TypeError) as error:
        first = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
        reason = first.removeprefix("Value error, ")
        raise UsageError(f"{path}: rule {name} is wrong: {reason}.") from error


def keep_lines(text: str, masks: list[list[bool]]) -> str:
    """`text` without the lines that any of the masks, one flag a line, rules out."""
    lines = text.split("\n")
    kept = [all(flags) for flags in zip(*masks, strict=True)]
    return "\n".join(line for line, keep in zip(lines, kept, strict=False) if keep)
