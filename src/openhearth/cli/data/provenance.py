"""`hearth data card` and `hearth data forget`: where a dataset came from, and what has to go."""

from __future__ import annotations

from pathlib import Path

import click

from openhearth.cli.data.common import plural
from openhearth.cli.frame import emit


@click.command()
@click.argument("name")
@click.option("--out", type=click.Path(path_type=Path), help="A file, else standard output.")
def card(name: str, out: Path | None) -> None:
    """Write the card of dataset NAME: sources, licences, creators, what was removed, lineage."""
    from openhearth.data.card import card as text_of
    from openhearth.store import Store, write_atomically

    dataset = Store().get(name)
    text = text_of(dataset, name)
    if out is None:
        emit({"digest": dataset.digest, "card": text}, text)
        return
    write_atomically(out, text.encode())
    emit({"digest": dataset.digest, "out": str(out)}, f"The card of {name} is in {out}.")


@click.command()
@click.argument("name")
@click.option("--id", "ids", multiple=True, help="Of a document; repeatable.")
@click.option("--url", "urls", multiple=True, help="Repeatable.")
@click.option("--creator", "creators", multiple=True, help="Repeatable.")
def forget(
    name: str, ids: tuple[str, ...], urls: tuple[str, ...], creators: tuple[str, ...]
) -> None:
    """Take documents out of dataset or corpus NAME, and out of what it was made from.

    Only the shards that hold them are written again. Take them out at the source too: what is read
    anew is not remembered here.
    """
    from openhearth.data.forget import Request, summary
    from openhearth.data.forget import forget as carry_out
    from openhearth.store import Store

    request = Request(frozenset(ids), frozenset(urls), frozenset(creators))
    done = carry_out(Store(), name, request)
    found = summary(done)
    lines = [
        f"{plural(done.documents, 'document')} forgotten; {done.rewritten} of {done.shards} shards "
        f"written again. {name} is now without them.",
        *(f"Still there: {reason}" for reason in done.kept),
    ]
    emit(found, "\n".join(lines))
