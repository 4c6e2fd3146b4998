"""`hearth data counts`: how often features occur, for the signals of importance."""

from __future__ import annotations

from pathlib import Path

import click

from openhearth.cli.data.common import (
    alone,
    format_option,
    limit_option,
    on_option,
    threads_option,
)
from openhearth.cli.frame import emit, progress


@click.command()
@click.argument("docs")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="An .npz file.")
@format_option
@limit_option
@threads_option
@on_option
def counts(
    docs: str, out: Path, kind: str | None, limit: int | None, threads: int | None, on: str
) -> None:
    """Count the words and pairs of words of DOCS.

    Counts of a domain, such as books, and of a `source` give documents' importance for it:
    `hearth data signals --importance books=BOOKS.npz --importance source=ALL.npz`.
    """
    from openhearth.data import read
    from openhearth.data.ray import open_executor
    from openhearth.data.select import RawWords, count

    corpus = read(docs, kind)
    with alone(out, docs) as work:
        found = count(
            corpus,
            RawWords(),
            work,
            open_executor(on, threads),
            limit=limit,
            progress=progress(),
        )
        found.save(out)
    features = int(found.values.sum())
    emit(
        {"documents": found.documents, "features": features, "out": str(out)},
        f"{features} features of {found.documents} documents are counted in {out}.",
    )
