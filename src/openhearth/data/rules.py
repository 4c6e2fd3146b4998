"""Rule sets: short TOML files of toggles over signals.

A line of such a file is one rule: `name = { signal = "…", min = …, max = … }`. Further keys are
`on = "line"` (drop the lines outside the bounds, not the document), `value` (what a line signal is
for a document: the `mean`, `sum`, `max` or `min` over its lines, or the share that was `removed`),
`of = "answer"` (look at the assistant's text only) and `enabled = false`. `include = ["…"]` takes
in other sets. Rules are applied in their order; lines that one has dropped are gone for those after
it. An undefined value removes nothing.

A rule's full name is that of its file and its own, such as `c4.javascript`, so that sets combine.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from openhearth.data.signals import LINE_SIGNALS, SIGNALS, is_signal
from openhearth.errors import NotFound, UsageError

SHIPPED = (
    Path(__file__).parent / "recipes",  # in a wheel
    Path(__file__).parents[3] / "recipes" / "data",  # in a checkout
)
Value = Literal["mean", "sum", "max", "min", "removed"]
Bound = Annotated[float, Field(allow_inf_nan=False)]
Set = dict[str, Any]  # a file's rules by their own names, not yet looked at


class Rule(BaseModel):
    """One toggle: documents, or lines, whose signal lies outside min and max are removed."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    name: str
    signal: str
    min: Bound | None = None
    max: Bound | None = None
    on: Literal["document", "line"] = "document"
    value: Value = "mean"
    of: Literal["text", "answer"] = "text"
    enabled: bool = True

    @model_validator(mode="after")
    def _makes_sense(self) -> Rule:
        if not is_signal(self.signal):
            raise ValueError(f"there is no signal {self.signal!r}{_hint(self.signal, SIGNALS)}")
        if self.min is None and self.max is None:
            raise ValueError("a rule needs min or max")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min {self.min:g} is above max {self.max:g}")
        if self.on == "line" and (self.of == "answer" or not self.is_by_line):
            raise ValueError('on = "line" needs a signal of lines, of the text')
        if self.value != "mean" and (self.on == "line" or not self.is_by_line):
            raise ValueError(f'value = "{self.value}" needs a signal of lines, on the document')
        return self

    @property
    def is_by_line(self) -> bool:
        """Whether its signal has a value for every line."""
        return self.signal in LINE_SIGNALS

    @property
    def column(self) -> str:
        """Where its values are in a table of signals."""
        return f"answer.{self.signal}" if self.of == "answer" else self.signal

    @property
    def bounds(self) -> str:
        """The bounds as one reads them: `0.1 ≤ rps_doc_… ≤ 0.3`."""
        low = "" if self.min is None else f"{self.min:g} ≤ "
        high = "" if self.max is None else f" ≤ {self.max:g}"
        return f"{low}{self.signal}{high}"


def default_rules(location: str) -> tuple[str, ...]:
    """The sets that are applied to what lies at a location where none is named."""
    return ("docstrings",) if location.startswith("python:") else ("text",)


def load_rules(names: Sequence[str], off: Sequence[str] = ()) -> list[Rule]:
    """The rules of some sets, in their order, without those that are switched off.

    A set is one that ships, by name (`gopher`), or a TOML file by path; several may be joined by
    commas. One that is named twice, or that two include, is there once, in its first place. `off`
    takes full names, and short ones (`javascript`) where only one rule has it.

    Raises:
        NotFound: there is no such rule set.
        UsageError: it is not TOML, a rule is wrong, two sets have one name, or what is to be
            switched off is no rule, or several.
    """
    sets: dict[Path, Set] = {}
    for name in ",".join(names).split(","):
        if name.strip():
            _collect(_find(name.strip(), Path()), (), sets)
    _refuse_equal_names(sets)
    rules = [
        _rule(path, name, fields) for path, found in sets.items() for name, fields in found.items()
    ]
    return without(rules, off)


def without(rules: Sequence[Rule], off: Sequence[str]) -> list[Rule]:
    """The rules that are on, but for those of these names.

    Raises:
        UsageError: a name is of no rule, or of several.
    """
    gone = [rule_named(name, rules) for name in off]
    return [rule for rule in rules if rule.enabled and rule not in gone]


def rule_named(name: str, rules: Sequence[Rule]) -> Rule:
    """The rule of this full name, or of this short one where only one has it.

    Raises:
        UsageError: there is none, or there are several.
    """
    same = [rule for rule in rules if rule.name == name]
    found = same or [rule for rule in rules if rule.name.endswith(f".{name}")]
    if len(found) == 1:
        return found[0]
    if found:
        full = " or ".join(rule.name for rule in found)
        raise UsageError(f"There are several rules {name}: write {full}.")
    known = [part for rule in rules for part in (rule.name.rpartition(".")[2], rule.name)]
    raise UsageError(f"There is no rule {name}{_hint(name, known)}.")


def shipped() -> list[str]:
    """The names of the rule sets that come with OpenHearth."""
    return sorted({path.stem for directory in SHIPPED for path in directory.glob("*.toml")})


def _find(name: str, beside: Path) -> Path:
    """The file of a set that ships, or a file by its path from the folder `beside`."""
    if name.endswith(".toml"):
        path = beside / name
    else:
        path = next((d / f"{name}.toml" for d in SHIPPED if (d / f"{name}.toml").is_file()), Path())
    if not path.is_file():
        raise NotFound(
            f"There is no rule set {name!r}: use one of {', '.join(shipped())}, or a .toml file."
        )
    return path.resolve()


def _collect(path: Path, above: tuple[Path, ...], sets: dict[Path, Set]) -> None:
    """Add a file's rules to `sets`, after those that it includes. `above` are its includers."""
    if path in above:
        raise UsageError(f"{path} includes itself: take one `include` out.")
    if path in sets:
        return
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"{path} is not TOML: {error}.") from error
    included = raw.pop("include", [])
    if not isinstance(included, list) or not all(isinstance(other, str) for other in included):
        raise UsageError(f"{path}: include must be a list of names.")
    for other in included:
        _collect(_find(other, path.parent), (*above, path), sets)
    sets[path] = raw


def _refuse_equal_names(paths: Iterable[Path]) -> None:
    named: dict[str, Path] = {}
    for path in paths:
        other = named.setdefault(path.stem, path)
        if other != path:
            raise UsageError(f"{other} and {path} would both be {path.stem}: rename one of them.")


def _rule(path: Path, name: str, fields: Any) -> Rule:
    if not isinstance(fields, dict):
        raise UsageError(f"{path}: {name} is not a rule; write {name} = {{ signal = …, max = … }}.")
    try:
        return Rule(name=f"{path.stem}.{name}", **fields)
    except (ValidationError, TypeError) as error:
        reason = _first(error) if isinstance(error, ValidationError) else str(error)
        raise UsageError(f"{path}: rule {name} is wrong: {reason}.") from error


def _first(error: ValidationError) -> str:
    """What is wrong first, and at which key."""
    first = error.errors()[0]
    return "".join(f"{key}: " for key in first["loc"]) + first["msg"].removeprefix("Value error, ")


def _hint(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(known), n=1)
    return f" (did you mean {near[0]}?)" if near else ""
