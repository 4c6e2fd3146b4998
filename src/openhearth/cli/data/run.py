"""`hearth data run`: from text to a dataset, and its tokens, as a recipe says."""

from __future__ import annotations

from pathlib import Path

import click

from openhearth.cli.data.common import (
    aside_lines,
    aside_of,
    check_name,
    funnel_text,
    name_option,
    on_option,
    threads_option,
)
from openhearth.cli.frame import emit, progress


@click.command()
@click.argument("recipe", type=click.Path(path_type=Path))
@name_option("What to call the dataset, in place of what the recipe says.")
@threads_option
@on_option
def run(recipe: Path, name: str | None, threads: int | None, on: str) -> None:
    """Carry out RECIPE (YAML), all of it as one lineage: corpus, signals, dataset, tokens.

    A run that was stopped goes on when the same command is given again.
    """
    from openhearth.data import CurateRecipe
    from openhearth.data.carry_out import carry_out
    from openhearth.data.ray import open_executor
    from openhearth.store import Store

    chosen, store = CurateRecipe.load(recipe), Store()
    name = name or (check_name(chosen.name) if chosen.name else None)
    chosen = chosen.model_copy(update={"name": name})
    dataset, tokens = carry_out(store, chosen, progress(), open_executor(on, threads))
    funnel, metrics = dataset.read_json("funnel.json"), dataset.manifest.metrics
    aside = aside_of(store.load(dataset.manifest.inputs["corpus"]))
    found = {"digest": dataset.digest, "name": name, "metrics": metrics, "funnel": funnel}
    found["quarantine"] = aside
    lines = [
        f"{funnel_text(funnel)}\n",
        f"{metrics['train']} documents to train on, {metrics['heldout']} held out by "
        f"{metrics['held_out_by']}: dataset {name or dataset.digest[:12]}.",
        *aside_lines(aside),
    ]
    if tokens is not None:
        found["tokens"] = tokens.digest
        splits = tokens.manifest.metrics.items()
        counts = ", ".join(f"{count['tokens']} tokens to {split}" for split, count in splits)
        lines.append(f"{counts}: token shards {f'{name}-tokens' if name else tokens.digest[:12]}.")
    emit(found, "\n".join(lines))
