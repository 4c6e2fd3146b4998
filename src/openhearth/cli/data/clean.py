"""`hearth data decontaminate` and `mask`: documents without what must not be in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from openhearth.cli.data.common import (
    alone,
    funnel_text,
    made_text,
    plural,
    written_options,
)
from openhearth.cli.frame import emit, progress

CUT, MASKED = CHANGES = ("cut:", "masked:")  # how steps count what they change


@click.command()
@click.argument("docs")
@click.option("--against", "sets", multiple=True, required=True, metavar="DOCS", help="Repeatable.")
@click.option(
    "--words",
    type=click.IntRange(1, 1000),
    default=13,
    show_default=True,
    help="Of a run that counts as overlap.",
)
@click.option("--cut", is_flag=True, help="Take out what overlaps, not the whole document.")
@written_options
def decontaminate(
    docs: str,
    sets: tuple[str, ...],
    words: int,
    cut: bool,
    out: Path,
    form: str | None,
    kind: str | None,
    limit: int | None,
    threads: int | None,
    on: str,
) -> None:
    """Take out of DOCS what overlaps with evaluation sets."""
    from openhearth.data import read
    from openhearth.data.select import Decontaminate, index_evaluations

    evaluations = {name: read(name) for name in sets}
    step = Decontaminate(index_evaluations(evaluations, words), cut)
    settings = [words, cut, [c.fingerprint for c in evaluations.values()]]
    _through(step, list(evaluations), settings, docs, kind, out, form, limit, threads, on, sets)


@click.command()
@click.argument("docs")
@click.option(
    "--most",
    type=click.IntRange(min=0),
    default=5,
    show_default=True,
    help="Documents with more finds go.",
)
@click.option("--spans", is_flag=True, help="Say in the metadata where finds were.")
@written_options
def mask(
    docs: str,
    most: int,
    spans: bool,
    out: Path,
    form: str | None,
    kind: str | None,
    limit: int | None,
    threads: int | None,
    on: str,
) -> None:
    """Mask e-mail addresses, telephone numbers and IP addresses in DOCS."""
    from openhearth.data.select import Mask
    from openhearth.data.select.mask import NAME

    step = Mask(most=most, spans=spans)
    _through(step, [NAME], [most, spans], docs, kind, out, form, limit, threads, on)


def _through(
    step: Any,
    names: list[str],
    settings: Any,
    docs: str,
    kind: str | None,
    out: Path,
    form: str | None,
    limit: int | None,
    threads: int | None,
    on: str,
    compared: tuple[str, ...] = (),
) -> None:
    """DOCS through one step into a file, the funnel of what it removed, and what it changed."""
    from openhearth.data import read
    from openhearth.data.forms import open_output
    from openhearth.data.funnel import funnel
    from openhearth.data.ray import open_executor
    from openhearth.data.write import write

    output, executor = open_output(out, form), open_executor(on, threads)
    corpus = read(docs, kind)
    with alone(out, docs, *compared):
        report = write(corpus, step, output, settings, executor, limit=limit, progress=progress())
    rows = funnel(report.tally, names, report.tally.counts["seen"])
    aside, count = report.quarantine.to_dict(), report.tally.counts["documents"]
    changed = {n: c for n, c in sorted(report.tally.counts.items()) if n.startswith(CHANGES)}
    found = {"documents": count, "out": str(out), "funnel": rows, "changed": changed}
    emit(
        found | {"quarantine": aside},
        lambda: f"{funnel_text(rows)}{_changed_text(changed)}\n\n{made_text(out, count, aside)}",
    )


def _changed_text(changed: dict[str, int]) -> str:
    lines = [
        f"{plural(count, 'document')} cut for {name.removeprefix(CUT)}."
        for name, count in changed.items()
        if name.startswith(CUT)
    ]
    kinds = [
        f"{count} x {name.removeprefix(MASKED)}"
        for name, count in changed.items()
        if name.startswith(MASKED)
    ]
    lines += [f"Masked: {', '.join(kinds)}."] if kinds else []
    return "".join(f"\n{line}" for line in lines)
