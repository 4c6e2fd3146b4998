"""`hearth models import` and `export`: models as files."""

from __future__ import annotations

from pathlib import Path

import click

from openhearth.cli.frame import emit, progress, size


@click.command(name="import")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--name", help="What to call it here; else as the file.")
def import_(path: Path, name: str | None) -> None:
    """Bring the model at PATH into the store: a GGUF file or a Hugging Face directory."""
    from openhearth import models
    from openhearth.errors import NotFound
    from openhearth.store import Store

    if not path.exists():
        raise NotFound(f"There is no file or directory {path}.")
    store = Store()
    artifact = models.pull(store, str(path.absolute()), name=name, progress=progress())
    names = store.names_of(artifact.digest)
    emit(
        {"digest": artifact.digest, "names": names, "size": artifact.size},
        f"{', '.join(names)}: model {artifact.digest[:12]}, {size(artifact.size)}. "
        f"`hearth models describe {names[0]}` shows its layers.",
    )


@click.command()
@click.argument("name")
@click.option(
    "--to", "target", required=True, type=click.Path(path_type=Path), metavar="DIR|FILE.gguf"
)
@click.option("--dtype", default="auto", help="Of a directory: auto, float32 or bfloat16.")
@click.option("--type", "kind", default="Q8_0", help="Of a GGUF file: F32, F16, Q8_0, Q4_K_M …")
def export(name: str, target: Path, dtype: str, kind: str) -> None:
    """Write the model NAME to a Hugging Face directory or a GGUF file, an adapter with its base.

    By `--dtype auto` numbers stay as they are, but those of a GGUF file become fp32.
    """
    from openhearth.models import export_directory, export_gguf
    from openhearth.store import Store

    artifact = Store().get(name)
    if target.suffix == ".gguf":
        export_gguf(artifact, target, kind=kind, progress=progress())
    else:
        export_directory(artifact, target, dtype=dtype)
    files = [target] if target.is_file() else sorted(target.iterdir())
    whole = sum(file.stat().st_size for file in files)
    emit(
        {"path": str(target), "files": [file.name for file in files], "size": whole},
        f"{target}: {len(files)} files, {size(whole)}.",
    )
