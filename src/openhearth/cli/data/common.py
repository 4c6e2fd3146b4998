"""What the commands of `hearth data` share: options, and how results are told."""

from __future__ import annotations

import os
import shutil
import textwrap
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from openhearth.cli.frame import emit, size

Command = TypeVar("Command", bound=Callable[..., Any])
Row = dict[str, Any]

WIDTH = 100  # of lines of names
format_option = click.option(
    "--format", "kind", metavar="NAME", help="What the files are, where their suffix does not say."
)
form_option = click.option("--form", help="Whose records: jsonl (ours), dolma, datatrove or rpv2.")
limit_option = click.option(
    "--quarantine",
    "limit",
    type=click.IntRange(min=0),
    metavar="N",
    help="Stop when more than N records are broken.",
)
threads_option = click.option(
    "--threads", type=click.IntRange(min=1), help="Else one for each core."
)
on_option = click.option(
    "--on",
    default="threads",
    show_default=True,
    metavar="WHERE",
    help="Where it runs: threads, ray, or the address ray://HOST:PORT of a cluster.",
)
off_option = click.option(
    "--off", multiple=True, metavar="RULE", help="Switch one rule off; repeatable."
)


def rules_option(
    otherwise: str = "docstrings for python:…, text for all else",
) -> Callable[[Command], Command]:
    """`--rules`; `otherwise` says which are taken if none are given, here `default_rules`."""
    return click.option(
        "--rules",
        multiple=True,
        metavar="SETS",
        help=f"Rule sets that ship, or .toml files, joined by commas; else {otherwise}.",
    )


def out_option(
    required: bool = True,
    files: str = "A .jsonl, .jsonl.gz, .jsonl.zst or .parquet file, or a folder of them.",
) -> Callable[[Command], Command]:
    """`--out`: the file or folder that is wanted."""
    return click.option("--out", type=click.Path(path_type=Path), required=required, help=files)


def written_options(command: Command) -> Command:
    """The options of what reads documents and writes documents."""
    for option in (on_option, threads_option, limit_option, format_option, form_option):
        command = option(command)
    return out_option()(command)


def name_option(
    text: str, required: bool = False, option: str = "--name"
) -> Callable[[Command], Command]:
    """A name in the store, which is looked at before any work is done."""
    return click.option(option, "name", required=required, callback=_checked_name, help=text)


def _checked_name(context: click.Context, parameter: click.Parameter, name: str | None) -> Any:
    return name if name is None else check_name(name)


def check_name(name: str) -> str:
    """The name, if an artifact may have it.

    Raises:
        UsageError: it may not.
    """
    from openhearth.store.refs import file_of

    file_of(name)
    return name


def resource_options(command: Command) -> Command:
    """The files that signals need."""
    for option in (
        click.option(
            "--importance", multiple=True, metavar="DOMAIN=COUNTS.npz", help="Repeatable."
        ),
        click.option("--scorer", multiple=True, metavar="SIGNAL=MODEL", help="Repeatable."),
        click.option("--domains", metavar="JSON", help="Categories by domain (UT1)."),
        click.option("--badwords", metavar="PATH", help="A list, or a folder with one a language."),
        click.option(
            "--stopwords", metavar="PATH", help="A list, or a folder with one a language."
        ),
        click.option("--language", default="en", show_default=True, help="Where no document says."),
    ):
        command = option(command)
    return command


def resource_recipe(
    language: str,
    stopwords: str | None,
    badwords: str | None,
    domains: str | None,
    scorer: Sequence[str],
    importance: Sequence[str],
) -> Any:
    """The `SignalRecipe` of these options."""
    from openhearth.data.signals import SignalRecipe

    return SignalRecipe(
        language=language,
        stopwords=stopwords,
        badwords=badwords,
        domains=domains,
        scorers=_pairs("--scorer", scorer),
        importance=_pairs("--importance", importance),
    )


def _pairs(option: str, values: Sequence[str]) -> dict[str, str]:
    found = [value.partition("=") for value in values]
    if wrong := [name for name, equals, path in found if not (name and equals and path)]:
        raise click.UsageError(f"{option} {wrong[0]} must be NAME=PATH.")
    return {name: path for name, _, path in found}


@contextmanager
def alone(out: Path, *read: str) -> Iterator[Path]:
    """Write `out` while nobody else does; gives a folder beside it for what passes leave.

    The folder stays until the result is whole, so that a run that was stopped goes on. `read` are
    the locations that are read meanwhile.

    Raises:
        UsageError: there is no folder to write to, or `out` is where documents are read.
        HearthError: another process writes it.
    """
    from openhearth.errors import UsageError
    from openhearth.store.disk import locked_if_free

    if not out.parent.is_dir():
        raise UsageError(f"There is no folder {out.parent}: make it first.")
    for location in read:
        if _lies_in(Path(os.path.abspath(out)), Path(os.path.abspath(location))):
            raise UsageError(f"{out} is or lies in {location}, which is read: write elsewhere.")
    work = out.with_name(f".{out.name}.work")
    work.mkdir(exist_ok=True)
    lock = work / "lock"
    busy = f"Another command is writing {out}: wait until it is done, or choose another name."
    with locked_if_free(lock, busy):
        try:
            yield work
        except BaseException:
            lock.unlink(missing_ok=True)
            with suppress(OSError):
                work.rmdir()  # if nothing was done yet
            raise
        shutil.rmtree(work)


def _lies_in(out: Path, location: Path) -> bool:
    """Whether a location, which may be a glob, means the file, or a folder above it."""
    return out == location or out.match(str(location)) or location in out.parents


def funnel_text(funnel: Sequence[Row]) -> str:
    """The funnel as a table, with examples under each step that removed something."""
    fired = [step for step in funnel if step["removed"] or step["lines"]]
    width = max([20, *(len(step["name"]) for step in fired)])
    lines = [f"{'step':<{width}} {'kept':>9} {'removed':>9}"] if fired else []
    for step in fired:
        note = f"   {plural(step['lines'], 'line')}" if step["lines"] else ""
        lines.append(f"{step['name']:<{width}} {step['kept']:>9} {step['removed']:>9}{note}")
        for example in step["examples"]:
            value = f"{example['value']:g}: " if "value" in example else ""
            lines.append(f"    {value}{short(example['text'], 86)}")
    if idle := ", ".join(step["name"] for step in funnel if step not in fired):
        said = f"These removed nothing: {idle}."
        lines.append(textwrap.fill(said, WIDTH, break_on_hyphens=False))
    return "\n".join(lines)


def made_text(out: Path, documents: int, aside: Row, what: str = "document") -> str:
    """What was made and where, and what was set aside."""
    where = f"{out} ({size(_bytes(out))})"
    return "\n".join([f"{plural(documents, what)} in {where}.", *aside_lines(aside)])


def emit_made(
    report: Any, out: Path, funnel: Sequence[Row] | None = None, what: str = "document"
) -> None:
    """Print what was made and where, what steps removed, and what was set aside."""
    aside, count = report.quarantine.to_dict(), report.tally.counts["documents"]
    steps = {} if funnel is None else {"funnel": funnel}
    made = made_text(out, count, aside, what)
    emit(
        {"documents": count, "out": str(out), **steps, "quarantine": aside},
        made if funnel is None else f"{funnel_text(funnel)}\n\n{made}",
    )


def aside_lines(aside: Row) -> list[str]:
    """What was set aside, and for example where; nothing if nothing was."""
    if not aside["counts"]:
        return []
    total = sum(aside["counts"].values())
    lines = [f"{plural(total, 'record')} set aside:"]
    lines += [f"    {count} x {reason}" for reason, count in aside["counts"].items()]
    return lines + [f"    for example {example['where']}" for example in aside["examples"][:2]]


def aside_of(corpus: Any) -> Row:
    """What was set aside when a corpus in the store was read; nothing of other artifacts."""
    if "quarantine.json" not in corpus.manifest.files:
        return {"counts": {}, "examples": []}
    return corpus.read_json("quarantine.json")


def plural(count: int, what: str) -> str:
    """`1 record`, `2 records`."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def short(text: str, length: int) -> str:
    """A text on one line, cut where it is too long."""
    line = " ".join(text.split())
    return line if len(line) <= length else line[: length - 1] + "…"


def _bytes(path: Path) -> int:
    files = path.iterdir() if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files)


def given(options: Sequence[str]) -> list[str]:
    """Those of some options that the user gave."""
    context = click.get_current_context()
    return [o for o in options if context.get_parameter_source(o) is ParameterSource.COMMANDLINE]
