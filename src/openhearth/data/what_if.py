"""What other thresholds would keep: rules judged over signals that are computed already.

Signals are read by column, only those that the rules look at, so that an answer for a million
documents takes well under a second.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from pydantic import ValidationError

from openhearth.data.filter import needed
from openhearth.data.funnel import Row
from openhearth.data.overlay import read_overlay
from openhearth.data.rules import Rule, rule_named
from openhearth.data.verdicts import Verdicts, judge
from openhearth.errors import UsageError


def change(rules: Sequence[Rule], changes: Sequence[str]) -> list[Rule]:
    """Rules with other thresholds; a change is `RULE.min=0.2`, `RULE.max=none` or `RULE=off`.

    Raises:
        UsageError: a change is not one of these, or names no rule.
    """
    found = list(rules)
    for text in changes:
        target, _, value = text.partition("=")
        name, _, bound = target.rpartition(".") if value != "off" else (target, "", "off")
        if not value or bound not in ("min", "max", "off"):
            raise UsageError(f"{text!r} is no change: write RULE.min=…, RULE.max=… or RULE=off.")
        rule = rule_named(name, found)
        place = found.index(rule)
        found[place : place + 1] = [] if bound == "off" else [_moved(rule, bound, value)]
    return found


def _moved(rule: Rule, bound: str, value: str) -> Rule:
    try:
        number = None if value == "none" else float(value)
        return Rule.model_validate(rule.model_dump() | {bound: number})
    except ValidationError as error:
        reason = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise UsageError(f"{rule.name}.{bound} = {value} makes no rule: {reason}.") from error
    except ValueError as error:
        raise UsageError(f"{rule.name}.{bound} must be a number or none, not {value!r}.") from error


def compare(signals: pa.Table, before: Sequence[Rule], after: Sequence[Rule]) -> Row:
    """What rules keep before and after they are changed, and what each removes."""
    old, new = judge(signals, before), judge(signals, after)
    removed = {rule.name: {"before": 0, "after": 0} for rule in (*before, *after)}
    for key, verdicts, rules in (("before", old, before), ("after", new, after)):
        for number, rule in enumerate(rules):
            removed[rule.name][key] += int(np.count_nonzero(verdicts.removed_by == number))
    return {
        "documents": signals.num_rows,
        "kept": {"before": _kept(old), "after": _kept(new)},
        "gained": int(np.count_nonzero(new.kept & ~old.kept)),
        "lost": int(np.count_nonzero(old.kept & ~new.kept)),
        "removed": removed,
    }


def _kept(verdicts: Verdicts) -> int:
    return int(np.count_nonzero(verdicts.kept))


def read_signals(location: str, rules: Sequence[Rule]) -> pa.Table:
    """The columns that rules need, see `read_overlay`.

    Raises:
        NotFound: there are none.
        UsageError: they lack a signal that a rule looks at.
    """
    return read_overlay(location, needed(rules))
