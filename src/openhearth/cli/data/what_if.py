"""`hearth data what-if`: move a threshold, and see what it would keep."""

from __future__ import annotations

import click

from openhearth.cli.data.common import off_option, rules_option
from openhearth.cli.frame import emit, table


@click.command(name="what-if")
@click.argument("signals")
@rules_option("those that made the dataset; of a file, text")
@off_option
@click.option(
    "--set", "changes", multiple=True, metavar="RULE.max=X", required=True, help="Repeatable."
)
def what_if(
    signals: str, rules: tuple[str, ...], off: tuple[str, ...], changes: tuple[str, ...]
) -> None:
    """Say what rules keep of documents before and after a change, from their SIGNALS alone.

    SIGNALS is what `hearth data signals DOCS --rules SETS --out S.parquet` wrote, or a dataset in
    the store. A change is RULE.min=0.1, RULE.max=none, or RULE=off; --set may be repeated.
    """
    from openhearth.data.what_if import change, compare, read_signals, rules_of

    before = rules_of(signals, rules, off)
    after = change(before, changes)
    found = compare(read_signals(signals, [*before, *after]), before, after)

    def text() -> str:
        rows = [
            [name, n["before"], n["after"]]
            for name, n in found["removed"].items()
            if n["before"] or n["after"]
        ]
        kept = found["kept"]
        return (
            f"{table(['removed by', 'before', 'after'], rows)}\n\n"
            f"{kept['after']} of {found['documents']} documents kept, {kept['before']} before: "
            f"{found['gained']} gained, {found['lost']} lost."
        )

    emit(found, text)
