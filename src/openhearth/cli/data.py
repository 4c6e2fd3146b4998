"""`hearth data`: read, signals and filter, from a location to a dataset in the store."""

from __future__ import annotations

import itertools
from typing import Any

import click

from openhearth.cli.frame import emit, progress, table


@click.group()
def data() -> None:
    """Text in, datasets out."""


@data.command()
@click.argument("location")
@click.option("--limit", default=5, show_default=True, help="Documents to show.")
def read(location: str, limit: int) -> None:
    """Show the first documents at LOCATION, and how many there are.

    LOCATION is a file, a folder, python:installed, python:NAME,NAME or python:stdlib.
    """
    from openhearth.data import read as read_corpus

    corpus = read_corpus(location)
    rows = (row for batch in corpus.batches() for row in batch.to_pylist())
    shown = list(itertools.islice(rows, limit))
    count = len(shown) + sum(1 for _ in rows)
    aside = corpus.quarantine.to_dict()
    value = {"documents": count, "quarantine": aside, "first": shown}

    def text() -> str:
        lines = [f"{row['id']}\n    {_short(row['text'], 90)}" for row in shown]
        lines.append(f"{count} documents, {sum(aside['counts'].values())} set aside")
        return "\n".join(
            [*lines, *(f"    {n} x {reason}" for reason, n in aside["counts"].items())]
        )

    emit(value, text)


@data.command()
@click.argument("file", type=click.File("rb"))
def signals(file: Any) -> None:
    """Print every quality signal of a text FILE (`-` is standard input)."""
    from openhearth.data import compute
    from openhearth.data.signals import to_redpajama

    text = file.read().decode("utf-8", "replace")
    row = compute([text]).to_pylist()[0]
    cells = [
        [name, f"{len(value)} lines" if isinstance(value, list) else value]
        for name, value in row.items()
    ]
    emit(to_redpajama(text, row), lambda: table(["signal", "value"], cells))


@data.command(name="filter")
@click.argument("location")
@click.option("--rules", multiple=True, help="A rule set that ships, or a .toml file; repeatable.")
@click.option("--off", multiple=True, metavar="RULE", help="Switch one rule off; repeatable.")
@click.option("--similarity", default=0.7, show_default=True, help="Near duplicates from here on.")
@click.option("--heldout", default=0.2, show_default=True, help="Share of sources held out.")
@click.option("--seed", default=0, show_default=True, help="Which sources are held out.")
@click.option("--name", help="What to call the dataset.")
def filter_(
    location: str,
    rules: tuple[str, ...],
    off: tuple[str, ...],
    similarity: float,
    heldout: float,
    seed: int,
    name: str | None,
) -> None:
    """Make a dataset of LOCATION, and print what each rule removed."""
    from openhearth.data import CurateRecipe, curate
    from openhearth.store import Store

    recipe = CurateRecipe.parse(
        {
            "source": location,
            "rules": rules or (default_rules(location),),
            "off": off,
            "similarity": similarity,
            "heldout": heldout,
            "seed": seed,
        }
    )
    store = Store()
    dataset = curate(store, recipe, progress())
    if name:
        store.tag(name, dataset.digest)
    funnel = dataset.read_json("funnel.json")
    value = {"digest": dataset.digest, "metrics": dataset.manifest.metrics, "funnel": funnel}
    metrics = dataset.manifest.metrics
    emit(
        value,
        lambda: (
            f"{funnel_text(funnel)}\n\n{metrics['train']} documents to train on, "
            f"{metrics['heldout']} held out from {metrics['heldout_sources']} sources.\n"
            f"Dataset {dataset.digest[:12]}: tune with "
            f"`hearth tune --data {name or dataset.digest[:12]}`."
        ),
    )


def default_rules(location: str) -> str:
    """The rule set for a location when none is named."""
    return "docstrings" if location.startswith("python:") else "text"


def funnel_text(funnel: list[dict[str, Any]]) -> str:
    """The funnel as a table, with two examples under each step that removed something."""
    lines = [f"{'step':<20} {'kept':>7} {'removed':>8}"]
    for step in funnel:
        never = "" if step["removed"] else "   (removed nothing)"
        lines.append(f"{step['name']:<20} {step['kept']:>7} {step['removed']:>8}{never}")
        for example in step["examples"]:
            value = f"{example['value']:g}: " if "value" in example else ""
            lines.append(f"    {value}{_short(example['text'], 86)}")
    return "\n".join(lines)


def _short(text: str, length: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= length else line[: length - 1] + "…"
