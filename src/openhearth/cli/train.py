"""`hearth train`: whatever a recipe says, from a model's first step to its last preference."""

from __future__ import annotations

from pathlib import Path

import click

from openhearth.cli.training import finish, say_made, show_preview


@click.command()
@click.argument("recipe", type=click.Path(path_type=Path))
@click.option("--out", "name", help="What to call the result; it gets a version.")
@click.option(
    "--on",
    default="here",
    show_default=True,
    help="ray, or the address ray://HOST:PORT of a cluster.",
)
@click.option("--workers", type=int, default=1, show_default=True, help="Processes on a cluster.")
@click.option("--preview", is_flag=True, help="Show what would be learnt; train nothing.")
def train(recipe: Path, name: str | None, on: str, workers: int, preview: bool) -> None:
    """Train as RECIPE (YAML) says: a new model, a whole one, or an adapter; any objective.

    A run that was stopped goes on when the same command is given again. Under `torchrun` several
    processes share the work.
    """
    from openhearth.store import Store
    from openhearth.training import TrainRecipe

    chosen = TrainRecipe.load(recipe)
    if name:
        chosen = chosen.model_copy(update={"name": name})
    if preview:
        show_preview(Store(), chosen)
    elif on != "here":
        from openhearth.training.ray import carry_out_on_ray

        store = Store()
        say_made(store, carry_out_on_ray(store, chosen, workers, on))
    else:
        finish(Store(), chosen)
