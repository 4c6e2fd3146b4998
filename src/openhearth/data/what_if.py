"""What other thresholds would keep: rules judged over signals that are computed already.

Signals are read by column, only those that the rules look at, so that rules on whole documents take
well under a second for a million; those on lines take as long as their lines are many.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import partial

import numpy as np
import pyarrow as pa
from pydantic import ValidationError

from openhearth.data.executors import Threads
from openhearth.data.filter import needed
from openhearth.data.funnel import Row
from openhearth.data.overlay import is_path, overlay_tables
from openhearth.data.rules import Rule, default_rules, load_rules, rule_named, without
from openhearth.data.verdicts import KEPT, judge
from openhearth.errors import UsageError
from openhearth.store import Store


def rules_of(location: str, names: Sequence[str], off: Sequence[str] = ()) -> list[Rule]:
    """The rules of named sets; else those that a dataset in the store was made with, or the default
    ones. `off` are switched off.

    Raises:
        NotFound: there is no such rule set, or nothing of that name in the store.
        UsageError: a rule is wrong, or what is to be switched off is none.
    """
    if not names and not is_path(location):
        made = Store().get(location).manifest.recipe.get("rules", ())
        if rules := [Rule.model_validate(rule) for rule in made]:
            return without(rules, off)
    return load_rules(names or default_rules(location), off)


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


def compare(signals: Iterable[pa.Table], before: Sequence[Rule], after: Sequence[Rule]) -> Row:
    """What rules keep before and after they are changed, and what each removes."""
    counts: Counter[tuple[str, ...]] = Counter()
    for found in Threads().map(partial(_count, before=before, after=after), signals):
        counts.update(found)
    return {
        "documents": counts["documents",],
        "kept": {"before": counts["before",], "after": counts["after",]},
        "gained": counts["gained",],
        "lost": counts["lost",],
        "removed": {
            rule.name: {key: counts[key, rule.name] for key in ("before", "after")}
            for rule in (*before, *after)
        },
    }


def _count(
    signals: pa.Table, before: Sequence[Rule], after: Sequence[Rule]
) -> dict[tuple[str, ...], int]:
    """What of some documents stays, and what each rule removes of them."""
    old, new = judge(signals, before), judge(signals, after)
    counts: dict[tuple[str, ...], int] = {
        ("documents",): signals.num_rows,
        ("gained",): int(np.count_nonzero(new.kept & ~old.kept)),
        ("lost",): int(np.count_nonzero(old.kept & ~new.kept)),
    }
    for key, verdicts, rules in (("before", old, before), ("after", new, after)):
        # KEPT is the number before the first rule's.
        kept, *removed = np.bincount(verdicts.removed_by - KEPT, minlength=len(rules) + 1).tolist()
        counts[key,] = kept
        counts |= {(key, rule.name): n for rule, n in zip(rules, removed, strict=True)}
    return counts


def read_signals(location: str, rules: Sequence[Rule]) -> Iterator[pa.Table]:
    """The columns that rules need, see `overlay_tables`.

    Raises:
        NotFound: there are none.
        UsageError: they lack a signal that a rule looks at.
    """
    lines = ("line_ends",) if any(rule.is_by_line for rule in rules) else ()
    return overlay_tables(location, (*lines, *needed(rules)))
