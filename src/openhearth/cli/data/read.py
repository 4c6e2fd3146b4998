"""`hearth data read`: a look at what is at a location."""

from __future__ import annotations

import click

from openhearth.cli.data.common import aside_lines, format_option, plural, short
from openhearth.cli.frame import emit, progress


@click.command()
@click.argument("location")
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    default=5,
    show_default=True,
    help="Documents to show.",
)
@format_option
def read(location: str, limit: int, kind: str | None) -> None:
    """Show the first documents at LOCATION, and how many there are.

    LOCATION is a file, a folder, a glob, a URL, python:installed, python:NAME,NAME or
    python:stdlib.
    """
    from openhearth.data import read as read_corpus

    corpus, show = read_corpus(location, kind), progress()
    shown: list[dict[str, str]] = []
    count = 0
    for batch in corpus.batches():
        shown += batch.slice(0, limit - len(shown)).to_pylist()
        count += batch.num_rows
        show("read", count, None, plural(count, "document"))
    show("read", count, count, plural(count, "document"))
    aside = corpus.quarantine.to_dict()

    def text() -> str:
        lines = [f"{row['id']}\n    {short(row['text'], 90)}" for row in shown]
        return "\n".join([*lines, f"{plural(count, 'document')}.", *aside_lines(aside)])

    emit({"documents": count, "quarantine": aside, "first": shown}, text)
