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
@click.option("--id", "identity", help="Of the document; else the first one.")
@rules_option("gopher")
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
    """Show a document of DOCS with the lines and signals that decided whether it stays."""
    from openhearth.data import load_rules
    from openhearth.data.explain import explain as decide
    from openhearth.data.filter import needed
    from openhearth.data.signals import Resources, signal_table

    toggles = load_rules(rules or ("gopher",), off)
    batch = _find(docs, kind, identity)
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


def _find(docs: str, kind: str | None, identity: str | None) -> Any:
    """The document's row, as a batch."""
    import pyarrow as pa
    import pyarrow.compute as pc

    from openhearth.data import read
    from openhearth.errors import NotFound

    for batch in read(docs, kind).batches():
        if identity is None:
            return batch.slice(0, 1)
        found = batch.filter(pc.equal(batch.column("id"), pa.scalar(identity)))
        if found.num_rows:
            return found.slice(0, 1)
    if identity is None:
        raise NotFound(f"{docs} holds no documents: check what is there.")
    raise NotFound(f"{docs} has no document {identity}: `hearth data read` shows some ids.")


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
