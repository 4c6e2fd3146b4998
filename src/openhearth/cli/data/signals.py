"""`hearth data signals`: the quality signals of documents, published beside the text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import click

from openhearth.cli.data.common import (
    alone,
    emit_made,
    format_option,
    limit_option,
    on_option,
    out_option,
    plural,
    resource_options,
    resource_recipe,
    rules_option,
    threads_option,
)
from openhearth.cli.frame import emit, progress, table


@click.command()
@click.argument("docs")
@out_option(required=False)
@click.option(
    "--form", help="Whose records: rpv2 (RedPajama-V2) or dolma (attributes); else columns."
)
@click.option(
    "--signals",
    "names",
    metavar="NAMES",
    help="Signals or families, joined by commas; else those of RedPajama-V2 and ours.",
)
@rules_option("none: with them, the signals that they look at")
@format_option
@resource_options
@limit_option
@threads_option
@on_option
def signals(
    docs: str,
    out: Path | None,
    form: str | None,
    names: str | None,
    rules: tuple[str, ...],
    kind: str | None,
    limit: int | None,
    threads: int | None,
    on: str,
    **resources: Any,
) -> None:
    """Compute the signals of DOCS, one record a document, in their order.

    Without --out, those of the first document are printed. For rules on answers, such as those of
    text and docstrings, there is a record for each example that a document makes.
    """
    from openhearth.data import compute_signals, load_rules, read
    from openhearth.data.filter import looked_at
    from openhearth.data.ray import open_executor

    recipe = resource_recipe(**resources)
    toggles = load_rules(rules) if rules else []
    wanted = _wanted(names, toggles, recipe.scorers)
    corpus = looked_at(read(docs, kind), toggles)
    if out is None:
        _show_first(corpus, wanted, recipe)
        return
    with alone(out, docs):
        report = compute_signals(
            corpus,
            wanted,
            recipe,
            out,
            form,
            open_executor(on, threads),
            limit=limit,
            progress=progress(),
        )
    emit_made(report, out, what="record")


def _wanted(names: str | None, rules: Sequence[Any], scorers: Iterable[str]) -> list[str]:
    """The signals that are named, or that rules look at; else what is published, and all scores."""
    from openhearth.data.filter import needed
    from openhearth.data.publish import expanded
    from openhearth.data.signals import PUBLISHED

    wanted = [name.strip() for name in names.split(",")] if names else []
    wanted += needed(rules)
    return expanded(wanted or list(dict.fromkeys((*PUBLISHED, *scorers))))


def _show_first(corpus: Any, names: list[str], recipe: Any) -> None:
    from openhearth.data.signals import Resources, signal_table
    from openhearth.errors import NotFound

    batch = next(corpus.batches(), None)
    if batch is None:
        raise NotFound(f"{corpus.location} holds no documents: check what is there.")
    row = signal_table(batch.slice(0, 1), names, Resources.load(recipe)).to_pylist()[0]
    cells = [
        [name, plural(len(value), "line") if isinstance(value, list) else value]
        for name, value in row.items()
    ]
    emit(row, lambda: table(["signal", "value"], cells))
