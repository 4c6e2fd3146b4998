"""`hearth tune`: an adapter from a model and a dataset or a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from openhearth.cli.training import finish, show_preview

if TYPE_CHECKING:
    from openhearth.training import TuneRecipe

BASE = "smollm2-135m"


@click.command()
@click.argument("recipe", required=False, type=click.Path(path_type=Path))
@click.option("--model", "--base", "base", help=f"The model to adapt.  [default: {BASE}]")
@click.option("--data", help="A dataset, from `hearth data filter`, or a JSONL file.")
@click.option("--out", "--name", "name", help="What to call the adapter; it gets a version.")
@click.option("--from", "start", help="A version to go on from, such as me/bot:3.")
@click.option("--tokens", type=int, help="Tokens to train on; of a file, all.")
@click.option("--epochs", type=int, help="Passes over the data.")
@click.option("--learning-rate", type=float)
@click.option("--rank", type=int, help="Size of the adapter.")
@click.option("--seed", type=int)
@click.option("--dtype", type=click.Choice(["auto", "float32", "bfloat16"]))
@click.option("--preview", is_flag=True, help="Show what would be learnt; train nothing.")
def tune(recipe: Path | None, name: str | None, preview: bool, **options: Any) -> None:
    """Adapt a model to a dataset, as RECIPE (YAML) says; options replace what it says.

    A run that was stopped goes on when the same command is given again.
    """
    from openhearth.store import Store
    from openhearth.training.versions import next_name

    chosen = _recipe(recipe, {key: value for key, value in options.items() if value is not None})
    if name is None and chosen.start is not None:
        name = next_name(chosen.start)
    whole = chosen.whole().model_copy(update={"name": name})
    if preview:
        show_preview(Store(), whole)
    else:
        finish(Store(), whole)


def _recipe(path: Path | None, options: dict[str, Any]) -> TuneRecipe:
    from openhearth.training import TuneRecipe
    from openhearth.training.material import is_file

    given = TuneRecipe.load(path).model_dump(exclude_unset=True) if path else {}
    given |= options
    if not given.keys() & {"base", "start"}:
        given["base"] = BASE
    if "tokens" not in given and is_file(str(given.get("data"))):
        given["tokens"] = None
    return TuneRecipe.parse(given)
