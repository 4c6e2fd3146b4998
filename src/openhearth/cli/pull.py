"""`hearth pull`: a model into the store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from openhearth.cli.frame import emit, progress, size

if TYPE_CHECKING:
    from openhearth.store import Artifact


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
        + _next(artifact, names[0]),
    )


def _next(artifact: Artifact, name: str) -> str:
    """What can be done with what came."""
    from openhearth.data import Tokenizer
    from openhearth.models import base_of, writes_text

    if artifact.kind not in ("model", "adapter"):
        return f"`hearth show {name}` tells what it is."
    if not writes_text(artifact):
        return "It makes vectors of texts: `openhearth.inference.open_encoder` opens it."
    if not Tokenizer.load(base_of(artifact)).chat_template:
        return f'It continues text: `hearth run {name} "Once upon a time"`.'
    return f"Talk to it with `hearth chat {name}`."
