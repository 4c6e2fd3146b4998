"""`hearth data explain`: a document with what decided about it marked in its text."""

from __future__ import annotations

from typing import Any

import click

from openhearth.cli.data.common import (
    format_option,
    off_option,
    plural,
    resource_options,
    resource_recipe,
    rules_option,
    short,
)
from openhearth.cli.frame import emit, table


@click.command()
@click.argument("docs")
@click.option("--id", "identity", help="Of the document, or example; else the first one.")
@rules_option()
@off_option
@format_option
@resource_options
def explain(
    docs: str,
    identity: str | None,
    rules: tuple[str, ...],
    off: tuple[str, ...],
    kind: str | None,
    **resources: Any,
) -> None:
    """Show a document of DOCS with the lines and signals that decided whether it stays.

    Rules on answers, such as those of text and docstrings, look at the examples that it makes: at
    the one that is named, else the first.
    """
    from openhearth.data import default_rules, load_rules, read
    from openhearth.data.explain import explain as decide
    from openhearth.data.explain import find
    from openhearth.data.filter import needed
    from openhearth.data.signals import Resources, signal_table

    toggles = load_rules(rules or default_rules(docs), off)
    batch = find(read(docs, kind), identity, toggles)
    signals = signal_table(batch, needed(toggles), Resources.load(resource_recipe(**resources)))
    row = batch.to_pylist()[0]
    decisions = decide(row["text"], signals, toggles)
    first = next((d.rule for d in decisions if d.removed), None)
    found = {
        "id": row["id"],
        "removed_by": first,
        "decisions": [decision.__dict__ for decision in decisions],
    }
    emit(found, lambda: _text(row, decisions, first))


def _text(row: dict[str, Any], decisions: list[Any], first: str | None) -> str:
    cells = [
        [
            "removes" if d.removed else plural(len(d.spans), "line") if d.spans else "",
            d.rule,
            d.bounds,
            "undefined" if d.value is None else f"{d.value:.4g}",
        ]
        for d in decisions
    ]
    dropped = {span[:2]: d.rule for d in reversed(decisions) for span in d.spans}
    verdict = f"{row['id']} is removed by {first}." if first else f"{row['id']} is kept."
    lines = [verdict, "", table(["", "rule", "bounds", "value"], cells), ""]
    begin = 0
    for line in row["text"].splitlines(keepends=True):
        rule = dropped.get((begin, begin + len(line)))
        begin += len(line)
        mark, note = ("-", f"   <- {rule}") if rule else (" ", "")
        styled = click.style(f"{mark} {short(line, 100)}", fg="red" if rule else None)
        lines.append(f"{styled}{note}" if line.strip() else "")
    return "\n".join(lines)
