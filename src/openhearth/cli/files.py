"""`hearth files`: bringing files to a server, and back."""

from __future__ import annotations

from pathlib import Path

import click

from openhearth.cli.frame import emit, size, table
from openhearth.cli.lazy import LazyGroup
from openhearth.cli.remote import Remote
from openhearth.errors import NotFound

HERE = "openhearth.cli.files"

files = LazyGroup(
    "files",
    help="Files of the platform that runs here, or of the server at OPENHEARTH_URL.",
    lazy={
        "upload": (f"{HERE}:upload", "Bring a file there; its lines are checked."),
        "list": (f"{HERE}:list_files", "Those of the project, newest first."),
        "get": (f"{HERE}:get", "What is known of a file, or its content."),
        "delete": (f"{HERE}:delete", "Remove a file."),
    },
)


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option(
    "--purpose",
    default="fine-tune",
    show_default=True,
    help="What it is for: fine-tune, batch, evals, user_data, …; it decides what is checked.",
)
def upload(path: Path, purpose: str) -> None:
    """Bring the file PATH to the server."""
    if not path.is_file():
        raise NotFound(f"There is no file {path}: check its name.")
    with path.open("rb") as file:
        found = Remote().post("/v1/files", data={"purpose": purpose}, files={"file": file})
    emit(found, f"{found['id']}  {found['filename']}, {size(found['bytes'])}, for {purpose}.")


@click.command("list")
@click.option("--purpose", help="Only files for this.")
def list_files(purpose: str | None) -> None:
    """List the files of the project, newest first."""
    page = Remote().get("/v1/files", purpose=purpose)
    if not page["data"]:
        emit(page, "There are no files: `hearth files upload PATH` brings one.")
        return
    rows = [[f["id"], f["filename"], f["purpose"], size(f["bytes"])] for f in page["data"]]
    emit(page, lambda: table(["file", "name", "purpose", "size"], rows))


@click.command()
@click.argument("file")
@click.option("--out", type=click.Path(path_type=Path), help="Write the content there.")
def get(file: str, out: Path | None) -> None:
    """Say what is known of FILE; with --out, write its content."""
    server = Remote()
    found = server.get(f"/v1/files/{file}")
    text = f"{found['id']}  {found['filename']}, {size(found['bytes'])}, for {found['purpose']}"
    if out is not None:
        part = out.with_name(f".{out.name}.part")
        with server.streaming(f"/v1/files/{file}/content") as response, part.open("wb") as written:
            for chunk in response.iter_bytes():
                written.write(chunk)
        part.replace(out)
        text += f", in {out}"
    emit(found, f"{text}.")


@click.command()
@click.argument("file")
def delete(file: str) -> None:
    """Remove FILE."""
    found = Remote().delete(f"/v1/files/{file}")
    emit(found, f"{found['id']} is gone.")
