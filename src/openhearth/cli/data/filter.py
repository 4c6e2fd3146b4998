"""`hearth data filter`: the documents that pass rules, in a file or as a dataset in the store."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from openhearth.cli.data.common import (
    alone,
    aside_lines,
    aside_of,
    emit_made,
    form_option,
    format_option,
    funnel_text,
    given,
    limit_option,
    name_option,
    off_option,
    on_option,
    out_option,
    resource_options,
    resource_recipe,
    rules_option,
    threads_option,
)
from openhearth.cli.frame import emit, progress

FOR_FILES = ("form", "signals")
FOR_DATASETS = ("similarity", "heldout", "seed", "name")


@click.command(name="filter")
@click.argument("location")
@rules_option()
@off_option
@out_option(required=False)
@form_option
@format_option
@resource_options
@click.option("--signals", metavar="PATH", help="Computed before: Parquet, or RedPajama-V2's.")
@limit_option
@threads_option
@on_option
@click.option("--similarity", default=0.7, show_default=True, help="Near duplicates from here on.")
@click.option("--heldout", default=0.2, show_default=True, help="Share of sources held out.")
@click.option("--seed", default=0, show_default=True, help="Which sources are held out.")
@name_option("What to call the dataset.")
def filter_(
    location: str,
    rules: tuple[str, ...],
    off: tuple[str, ...],
    out: Path | None,
    form: str | None,
    kind: str | None,
    limit: int | None,
    threads: int | None,
    on: str,
    signals: str | None,
    similarity: float,
    heldout: float,
    seed: int,
    name: str | None,
    **resources: Any,
) -> None:
    """Keep of LOCATION what passes the rules, and print what each rule removed.

    With --out, what is kept goes to a file or folder. Without, LOCATION becomes a dataset in the
    store: duplicates are removed and sources held out too, for `hearth tune`. Rules on answers,
    such as those of text and docstrings, make examples of documents: questions with answers.
    """
    from openhearth.data import default_rules

    _refuse(FOR_FILES if out is None else FOR_DATASETS, out)
    rules = rules or default_rules(location)
    recipe = resource_recipe(**resources)
    if out is not None:
        _to_file(location, rules, off, out, form, kind, limit, threads, on, recipe, signals)
        return
    settings = {
        "source": location,
        "format": kind,
        "rules": rules,
        "off": off,
        "signals": recipe,
        "similarity": similarity,
        "heldout": heldout,
        "seed": seed,
        "quarantine": limit,
    }
    _to_store(settings, name, on, threads)


def _refuse(options: tuple[str, ...], out: Path | None) -> None:
    """Stop where options are given that would do nothing."""
    if not (named := given(options)):
        return
    if out is None:
        raise click.UsageError(f"--{named[0]} is for a file or folder: give --out too.")
    raise click.UsageError(f"--{named[0]} is for a dataset in the store: leave out --out.")


def _to_store(settings: dict[str, Any], name: str | None, on: str, threads: int | None) -> None:
    from openhearth.data import CurateRecipe, curate
    from openhearth.data.ray import open_executor
    from openhearth.store import Store

    store = Store()
    dataset = curate(store, CurateRecipe.parse(settings), progress(), open_executor(on, threads))
    if name:
        store.tag(name, dataset.digest)
    funnel, metrics = dataset.read_json("funnel.json"), dataset.manifest.metrics
    aside = aside_of(store.load(dataset.manifest.inputs["corpus"]))
    lines = [
        f"{funnel_text(funnel)}\n",
        f"{metrics['train']} documents to train on, {metrics['heldout']} held out by "
        f"{metrics['held_out_by']}.",
        *aside_lines(aside),
        f"Dataset {dataset.digest[:12]}: tune with "
        f"`hearth tune --data {name or dataset.digest[:12]}`.",
    ]
    found = {"digest": dataset.digest, "metrics": metrics, "funnel": funnel, "quarantine": aside}
    emit(found, "\n".join(lines))


def _to_file(
    location: str,
    names: tuple[str, ...],
    off: tuple[str, ...],
    out: Path,
    form: str | None,
    kind: str | None,
    limit: int | None,
    threads: int | None,
    on: str,
    recipe: Any,
    signals: str | None,
) -> None:
    from openhearth.data import filter_corpus, read
    from openhearth.data.forms import open_output
    from openhearth.data.ray import open_executor

    output = open_output(out, form)
    corpus = read(location, kind)
    with alone(out, location):
        funnel, report = filter_corpus(
            corpus,
            names,
            off,
            output,
            recipe,
            open_executor(on, threads),
            signals=signals,
            limit=limit,
            progress=progress(),
        )
    emit_made(report, out, funnel)
