"""`hearth bench verify`, `report`, `merge` and `board`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from openhearth.cli.bench.results import tell
from openhearth.cli.frame import emit, progress, table
from openhearth.errors import HearthError

if TYPE_CHECKING:
    from openhearth.bench.report.check import Check

_directory = click.argument("directory", type=click.Path(path_type=Path))


@click.command()
@_directory
@click.option("--key", help="The public key, in hexadecimal, that must have signed.")
@click.option("--again", metavar="URL#MODEL", help="Ask this server what the gate asked once more.")
@click.option("--api-key", envvar="OPENHEARTH_API_KEY", default="", help="Of that server.")
@click.option("--entry", default=1, show_default=True, type=click.IntRange(1, 100),
              help="Which of the report's servers that is.")  # fmt: skip
def verify(directory: Path, key: str | None, again: str | None, api_key: str, entry: int) -> None:
    """Look at every file, figure and request of the report in DIRECTORY; 1 if it does not hold."""
    from openhearth.bench.report.verify import holds
    from openhearth.bench.report.verify import verify as look

    checks = look(directory, key)
    if again is not None:
        checks += _again(directory, again, api_key, entry - 1)
    words = {True: "holds", False: "DOES NOT HOLD", None: "not checked"}
    rows = [[check.what, words[check.holds], check.detail] for check in checks]
    emit([asdict(check) for check in checks], lambda: table(["what", "", "why"], rows))
    if not holds(checks):
        raise HearthError(f"The report in {directory} does not hold: see above.")


def _again(directory: Path, server: str, key: str, entry: int) -> list[Check]:
    from openhearth.bench.load import Target
    from openhearth.bench.report.again import again
    from openhearth.bench.report.verify import measurement_of

    url, _, model = server.partition("#")
    return again(measurement_of(directory), Target(url, model, key), entry, progress())


@click.command()
@_directory
@click.option("--format", "form", default="markdown", show_default=True,
              type=click.Choice(["markdown", "csv", "json", "html"]))  # fmt: skip
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Else it is printed.")
def report(directory: Path, form: str, out: Path | None) -> None:
    """Print the report in DIRECTORY in another form, made anew from its records."""
    from openhearth.bench.report.figures import figures
    from openhearth.bench.report.forms import FORMS
    from openhearth.bench.report.verify import measurement_of
    from openhearth.store import write_atomically

    measurement = measurement_of(directory)
    text = FORMS[form](measurement.disclosure, figures(measurement))
    if out is None:
        click.echo(text.decode(), nl=False)
    else:
        write_atomically(out, text)
        emit({"written": str(out)}, f"Written to {out}.")


@click.command()
@click.argument("out", type=click.Path(path_type=Path))
@click.argument("directories", nargs=-1, required=True, type=click.Path(path_type=Path))
def merge(out: Path, directories: tuple[Path, ...]) -> None:
    """Put the reports of several machines, each with its share of one load, together in OUT."""
    from openhearth.bench.report.merge import merged
    from openhearth.bench.report.verify import measurement_of
    from openhearth.bench.report.write import write

    disclosure = write(out, merged([measurement_of(one) for one in directories]))
    tell(out, disclosure)


@click.command()
@_directory
@click.option("--out", default="board", show_default=True, type=click.Path(path_type=Path))
def board(directory: Path, out: Path) -> None:
    """Build a static site from the reports under DIRECTORY that hold; others are listed apart."""
    from openhearth.bench.board import build

    found = build(directory, out)
    emit(
        found.to_dict(),
        f"{found.shown} entries on {out / 'index.html'}; {len(found.refused)} reports refused.",
    )
