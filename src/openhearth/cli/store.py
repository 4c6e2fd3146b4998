"""`hearth ls`, `show`, `lineage`, `rm` and `gc`: the store from the outside."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click

from openhearth.cli.frame import emit, size, table
from openhearth.errors import UsageError
from openhearth.store import Artifact, Store, collect, lineage, push, remove
from openhearth.store.disk import lasting_place


def _row(store: Store, artifact: Artifact) -> dict[str, Any]:
    return {
        "digest": artifact.digest,
        "kind": artifact.kind,
        "names": store.names_of(artifact.digest),
        "size": artifact.size,
        "created": artifact.created,
    }


@click.command()
@click.option("--kind", help="Only artifacts of this kind.")
def ls(kind: str | None) -> None:
    """List what the store holds, oldest first."""
    store = Store()
    rows = [_row(store, a) for a in store.artifacts() if kind in (None, a.kind)]
    if not rows:
        emit([], "The store is empty: `hearth pull smollm2-135m` or `hearth demo` fills it.")
        return
    cells = [
        [r["digest"][:12], r["kind"], size(r["size"]), ", ".join(r["names"]) or "-"] for r in rows
    ]
    emit(rows, lambda: table(["digest", "kind", "size", "names"], cells))


@click.command()
@click.argument("name")
def show(name: str) -> None:
    """Show the manifest of NAME (a name, or the beginning of a digest)."""
    store = Store()
    artifact = store.get(name)
    value = _row(store, artifact) | asdict(artifact.manifest)
    value["cost"] = store.cost(artifact.digest)

    def text() -> str:
        manifest = artifact.manifest
        lines = [
            f"{artifact.kind} {artifact.digest}",
            f"names    {', '.join(value['names']) or '-'}",
            *(f"input    {role}: {digest[:12]}" for role, digest in manifest.inputs.items()),
            *(f"file     {n}  {size(e.size)}" for n, e in sorted(manifest.files.items())),
            *(f"{part:<8} {key}: {shown}" for part in ("recipe", "metrics") for key, shown in
              value[part].items()),
            *(f"cost     {key}: {shown}" for key, shown in value["cost"].items()),
            f"license  {', '.join(manifest.license) or '-'}",
            f"creator  {', '.join(manifest.creator) or '-'}",
            f"code     {manifest.code}",
        ]  # fmt: skip
        return "\n".join(lines)

    emit(value, text)


@click.command(name="lineage")
@click.argument("name")
def show_lineage(name: str) -> None:
    """Show what NAME was made from, back to the packages or files, and all licences met."""
    found = lineage(Store().get(name))
    emit(
        found.to_dict(),
        lambda: f"{found.tree()}\n\nLicences met: {', '.join(found.licenses()) or 'none named'}",
    )


@click.command()
@click.argument("name")
def rm(name: str) -> None:
    """Remove the artifact NAME and its names; refused while another was made from it."""
    artifact = remove(Store(), name)
    emit(
        {"removed": artifact.digest},
        f"Removed {artifact.kind} {artifact.digest[:12]}; `hearth gc` frees its space.",
    )


@click.command()
@click.option("--unnamed", is_flag=True, help="Also artifacts that no name leads to.")
@click.option("--copies", is_flag=True, help="Also copies of what is at OPENHEARTH_STORE.")
@click.option("--there", is_flag=True, help="Also at OPENHEARTH_STORE, while nobody writes there.")
def gc(unnamed: bool, copies: bool, there: bool) -> None:
    """Free the space of removed, damaged and unfinished work."""
    freed = collect(Store(), unnamed=unnamed, copies=copies, there=there)
    emit({"freed": freed}, f"Freed {size(freed)}.")


@click.command(name="push")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--to", "url", default=lasting_place, help="Where to; else OPENHEARTH_STORE.")
def send(names: tuple[str, ...], url: str) -> None:
    """Copy artifacts of this home, with all they were made from, to a URL, under their names.

    Without a NAME, all that have one. `hearth pull URL#NAME` brings one back.
    """
    if not url:
        raise UsageError("Where to? Give --to URL, or set OPENHEARTH_STORE.")
    store = Store(url="")
    sent = {name: push(store.get(name), url, name=name) for name in names or store.refs.all()}
    Store().catalogue.sync()  # so that the next command knows
    emit({"sent": sent}, f"Sent {', '.join(sent) or 'nothing'}: {size(sum(sent.values()))}.")
