"""`hearth tune`: an adapter from a model and a dataset."""

from __future__ import annotations

from pathlib import Path

import click

from openhearth.cli.frame import emit, progress


@click.command()
@click.argument("recipe", required=False, type=click.Path(path_type=Path))
@click.option("--base", default="smollm2-135m", show_default=True, help="The model to adapt.")
@click.option("--data", help="The dataset, from `hearth data filter`.")
@click.option("--tokens", type=int, help="Tokens to train on.")
@click.option("--learning-rate", type=float)
@click.option("--rank", type=int, help="Size of the adapter.")
@click.option("--seed", type=int)
@click.option("--dtype", type=click.Choice(["auto", "float32", "bfloat16"]))
@click.option("--name", help="What to call the adapter.")
def tune(recipe: Path | None, name: str | None, base: str, **options: object) -> None:
    """Adapt a model to a dataset, as RECIPE (YAML) says; options replace what it says.

    A run that was stopped goes on when the same command is given again.
    """
    from openhearth.store import Store
    from openhearth.training import TuneRecipe
    from openhearth.training import tune as carry_out

    given = {key: value for key, value in options.items() if value is not None}
    if recipe:
        written = TuneRecipe.read(recipe).model_dump()
        chosen = TuneRecipe.parse(written | given)
    else:
        chosen = TuneRecipe.parse({"base": base} | given)
    store = Store()
    adapter = carry_out(store, chosen, progress())
    if name:
        store.tag(name, adapter.digest)
    metrics, cost = adapter.manifest.metrics, store.cost(adapter.digest)
    emit(
        {"digest": adapter.digest, "metrics": metrics, "cost": cost},
        f"Adapter {adapter.digest[:12]}: {metrics['steps']} steps, {metrics['tokens']} tokens, "
        f"last loss {metrics['loss']:.3f}, {cost['tokens_per_second']:.0f} tokens/s.\n"
        f"Talk to it with `hearth chat {name or adapter.digest[:12]}`.",
    )
