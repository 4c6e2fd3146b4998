"""`hearth data train-scorer`: a model of one's own texts, which gives a signal."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from openhearth.cli.data.common import plural
from openhearth.cli.frame import emit, progress, size, table


@click.command(name="train-scorer")
@click.option(
    "--kind",
    type=click.Choice(["linear", "fasttext", "ngram"]),
    default="linear",
    show_default=True,
    help="What the model is.",
)
@click.option("--positive", required=True, metavar="DOCS", help="Texts that are wanted.")
@click.option("--negative", metavar="DOCS", help="Texts that are not.")
@click.option("--buckets", type=click.IntRange(min=1), help="How many features the model can hold.")
@click.option("--order", default=3, show_default=True, help="Of ngram: words at a time.")
@click.option("--seed", default=0, show_default=True, help="Of the order of examples.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The model's file.")
def train_scorer(
    kind: Any,
    positive: str,
    negative: str | None,
    buckets: int | None,
    order: int,
    seed: int,
    out: Path,
) -> None:
    """Train a model that scores texts, and say how well it does on texts that it has not seen.

    linear and fasttext tell wanted texts from others; ngram gives perplexities, and learns from
    --positive alone. Use it as `hearth data signals DOCS --scorer score_mine=MODEL`.
    """
    from openhearth.data import read
    from openhearth.data.scorers import train

    show = progress()

    def texts(location: str) -> Iterator[Any]:
        count = 0
        for batch in read(location).batches():
            yield batch.column("text")
            count += batch.num_rows
            show("read", count, None, f"{plural(count, 'document')} of {location}")
        show("read", count, count, f"{plural(count, 'document')} of {location}")

    found = train(
        kind,
        texts(positive),
        texts(negative) if negative else None,
        out,
        buckets=buckets,
        order=order,
        seed=seed,
    )
    rows = [[name, f"{value:.4g}"] for name, value in found.items()]
    made = f"The model is {out} ({size(out.stat().st_size)})."
    emit({"out": str(out), **found}, lambda: f"{table(['measure', 'value'], rows)}\n\n{made}")
