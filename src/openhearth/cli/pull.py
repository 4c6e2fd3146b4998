"""`hearth pull`: a model into the store."""

from __future__ import annotations

import click

from openhearth.cli.frame import emit, progress, size


@click.command()
@click.argument("source")
@click.option("--name", help="What to call it here.")
def pull(source: str, name: str | None) -> None:
    """Bring a model into the store.

    SOURCE is a name in the catalogue (smollm2-135m, gemma3-270m, minilm-l6), a GGUF file, a
    Hugging Face directory with safetensors, or URL#NAME for an artifact in another store.
    """
    from openhearth import models
    from openhearth.store import Store

    store = Store()
    artifact = models.pull(store, source, name=name, progress=progress())
    names = store.names_of(artifact.digest)
    emit(
        {"digest": artifact.digest, "names": names, "size": artifact.size},
        f"{', '.join(names)}: {artifact.kind} {artifact.digest[:12]}, {size(artifact.size)}. "
        f"Talk to it with `hearth chat {names[0]}`.",
    )
