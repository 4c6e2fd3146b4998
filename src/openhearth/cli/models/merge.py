"""`hearth models merge`: one model of several."""

from __future__ import annotations

from pathlib import Path

import click

from openhearth.cli.frame import emit, size


@click.command()
@click.argument("recipe", type=click.Path(path_type=Path))
@click.option("--name", required=True, help="What to call the model.")
def merge(recipe: Path, name: str) -> None:
    """Make one model of several that were tuned from the same one, as RECIPE (YAML) says."""
    from openhearth.models.merge import MergeRecipe
    from openhearth.models.merge import merge as carry_out
    from openhearth.store import Store

    chosen, store = MergeRecipe.load(recipe), Store()
    artifact = carry_out(store, chosen)
    store.tag(name, artifact.digest)
    emit(
        {"digest": artifact.digest, "name": name, "size": artifact.size},
        f"{name}: model {artifact.digest[:12]}, {size(artifact.size)}, of {len(chosen.models)} by "
        f"{chosen.method}. `hearth models export {name} --to DIR` writes it.",
    )
