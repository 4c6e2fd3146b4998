"""`hearth data select` and `mix`: which documents, and how many of each kind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from openhearth.cli.data.common import (
    alone,
    form_option,
    limit_option,
    made_text,
    on_option,
    out_option,
    threads_option,
    written_options,
)
from openhearth.cli.frame import emit, progress, table


@click.command()
@click.argument("docs")
@click.option(
    "--target", "targets", multiple=True, metavar="DOCS", help="What to be like; repeatable."
)
@click.option("--n", type=click.IntRange(min=1), required=True, help="Documents to choose.")
@click.option(
    "--method",
    type=click.Choice(["dsir", "random", "top"]),
    default="dsir",
    show_default=True,
    help="By likeness to the targets, by chance, or by a signal.",
)
@click.option("--signal", help="Of which `top` takes the highest.")
@click.option("--seed", default=0, show_default=True, help="Of chance.")
@click.option(
    "--features",
    type=click.Choice(["raw", "lower"]),
    default="raw",
    show_default=True,
    help="Words as they are, or in lower case.",
)
@click.option("--temperature", default=1.0, show_default=True, help="0 leaves chance out.")
@click.option("--per-word", is_flag=True, help="The mean importance of features, not the sum.")
@click.option("--separate", is_flag=True, help="Choose for each target by itself.")
@click.option("--cap", type=float, help="At most so many (below 1: that share) of one --per.")
@click.option("--per", default="source", show_default=True, help="source, domain, metadata:FIELD.")
@click.option("--min-words", default=0, show_default=True, help="Of a document, at least.")
@click.option("--max-words", type=int, help="Of a document, at most.")
@written_options
def select(
    docs: str,
    targets: tuple[str, ...],
    out: Path,
    form: str | None,
    kind: str | None,
    limit: int | None,
    threads: int | None,
    on: str,
    **settings: Any,
) -> None:
    """Choose N of DOCS that suit the targets (DSIR), score highest, or come by chance."""
    from openhearth.data import read
    from openhearth.data.forms import open_output
    from openhearth.data.ray import open_executor
    from openhearth.data.select import SelectRecipe, choose
    from openhearth.data.write import write

    recipe, output = SelectRecipe.parse(settings), open_output(out, form)
    corpus = read(docs, kind)
    named = {target: read(target) for target in targets}
    executor = open_executor(on, threads)
    with alone(out, docs, *targets) as work:
        choice = choose(corpus, named, recipe, work, executor, limit=limit, progress=progress())
        step = choice.step()
        written = [recipe.model_dump(mode="json"), [t.fingerprint for t in named.values()]]
        report = write(corpus, step, output, written, executor, limit=limit, progress=progress())
    aside, count = report.quarantine.to_dict(), report.tally.counts["documents"]
    emit(
        {"documents": count, "of": choice.documents, "out": str(out), "quarantine": aside},
        lambda: f"{count} of {choice.documents} chosen.\n{made_text(out, count, aside)}",
    )


@click.command()
@click.argument("mixture", type=click.Path(path_type=Path))
@click.option("--tokenizer", help="Count the budget in its tokens, not in bytes.")
@out_option()
@form_option
@limit_option
@threads_option
@on_option
def mix(
    mixture: Path,
    tokenizer: str | None,
    out: Path,
    form: str | None,
    limit: int | None,
    threads: int | None,
    on: str,
) -> None:
    """Write the documents that a MIXTURE (YAML) describes, in proportion at every point."""
    from openhearth.data.corpus import account
    from openhearth.data.forms import open_output
    from openhearth.data.ray import open_executor
    from openhearth.data.select import Mixture, Tokens
    from openhearth.data.select import mix as carry_out
    from openhearth.data.write import write

    recipe, output = Mixture.load(mixture), open_output(out, form)
    executor = open_executor(on, threads)
    measure = None
    if tokenizer:
        from openhearth.data.tokenizer import Tokenizer, find_tokenizer
        from openhearth.store import Store

        artifact = find_tokenizer(Store(), tokenizer)
        measure = Tokens(artifact.digest, Tokenizer.load(artifact))
    with alone(out, *(part.path for part in recipe.slices)) as work:
        mixed = carry_out(recipe, work, executor, measure=measure, limit=limit, progress=progress())
        report = write(
            mixed.corpus,
            account,
            output,
            recipe.model_dump(mode="json"),
            executor,
            progress=progress(),
            stage="mix",
        )
    shares = [share.to_dict() | {"given": mixed.given[share.name]} for share in mixed.shares]
    aside, count = mixed.corpus.quarantine.to_dict(), report.tally.counts["documents"]
    unit = "tokens" if tokenizer else "bytes"

    def text() -> str:
        total = sum(mixed.given.values())
        rows = [
            [s["name"], s["given"], f"{s['given'] / total:.1%}", f"{s['epochs']:.2f} times"]
            for s in shares
        ]
        slices = table(["slice", unit, "share", "used"], rows)
        return f"{slices}\n\n{made_text(out, count, aside)}"

    emit({"slices": shares, "documents": count, "out": str(out), "quarantine": aside}, text)
