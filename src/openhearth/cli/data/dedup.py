"""`hearth data dedup` and `minhash`: documents without their duplicates, and what finds those."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import click

from openhearth.cli.data.common import (
    alone,
    emit_made,
    format_option,
    given,
    limit_option,
    on_option,
    out_option,
    threads_option,
    written_options,
)
from openhearth.cli.frame import progress

METHODS = ("exact", "minhash", "paragraph", "line", "substring")


@click.command()
@click.argument("docs")
@click.option(
    "--method",
    type=click.Choice(METHODS),
    default="minhash",
    show_default=True,
    help="What counts as a duplicate.",
)
@click.option("--preset", default="hearth", show_default=True, help="How near, by minhash.")
@click.option(
    "--known",
    type=click.Path(path_type=Path),
    help="Drop those that this file of RedPajama-V2's duplicates lists, in place of a search.",
)
@click.option("--normalised", is_flag=True, help="Exact copies up to case, signs and spaces.")
@click.option(
    "--words",
    type=click.IntRange(1, 1000),
    default=13,
    show_default=True,
    help="Of a run that stood before, by substring.",
)
@click.option("--keep", default="first", show_default=True, help="Which copy stays.")
@click.option(
    "--signals",
    type=click.Path(path_type=Path),
    help="What `hearth data signals` wrote of DOCS, for --keep: Parquet.",
)
@click.option("--index", type=click.Path(path_type=Path), help="What was seen before; extended.")
@click.option(
    "--capacity",
    type=click.IntRange(min=1),
    help="Of a new index of parts: how many it is to hold in all.",
)
@click.option(
    "--pairs",
    type=click.Path(path_type=Path),
    help="A .parquet file for near copies and their similarity, by minhash.",
)
@written_options
def dedup(
    docs: str,
    out: Path,
    form: str | None,
    kind: str | None,
    limit: int | None,
    threads: int | None,
    on: str,
    known: Path | None,
    **settings: Any,
) -> None:
    """Write DOCS without their duplicates, and say what went.

    By exact and minhash whole documents go; by paragraph, line and substring what stood before is
    cut out of them. --keep is first, newest, most:SIGNAL, least:SIGNAL, or sources:A,B in order of
    preference.
    """
    from openhearth.data import read
    from openhearth.data.dedup.known import drop_known
    from openhearth.data.dedup.run import DedupRecipe, dedup_corpus
    from openhearth.data.forms import open_output
    from openhearth.data.ray import open_executor

    if known and (beside := given(tuple(settings))):
        raise click.UsageError(f"--{beside[0]} does nothing beside --known: leave one out.")
    recipe, output = DedupRecipe.parse(settings), open_output(out, form)
    recipe.check()
    corpus = read(docs, kind)
    with alone(out, docs):
        remove = partial(drop_known, path=known) if known else partial(dedup_corpus, recipe=recipe)
        rows, report = remove(
            corpus,
            output=output,
            executor=open_executor(on, threads),
            limit=limit,
            progress=progress(),
        )
    emit_made(report, out, rows)


@click.command()
@click.argument("docs")
@click.option("--preset", default="rpv2", show_default=True, help="Words, bands and hash.")
@out_option(files="A .parquet file, or a folder of them.")
@format_option
@limit_option
@threads_option
@on_option
def minhash(
    docs: str,
    preset: str,
    out: Path,
    kind: str | None,
    limit: int | None,
    threads: int | None,
    on: str,
) -> None:
    """Write the MinHash signatures of DOCS; those of rpv2 are RedPajama-V2's to the byte."""
    from openhearth.data import read
    from openhearth.data.dedup.publish import minhash_corpus
    from openhearth.data.forms import open_output
    from openhearth.data.ray import open_executor

    output, corpus = open_output(out), read(docs, kind)
    with alone(out, docs):
        report = minhash_corpus(
            corpus,
            preset,
            output,
            open_executor(on, threads),
            limit=limit,
            progress=progress(),
        )
    emit_made(report, out, what="record")
