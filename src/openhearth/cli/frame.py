"""What commands share: results as text or JSON, tables, and progress on the error stream."""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import click

from openhearth.progress import Progress, silent

OUTPUT = {"json": "Print results as JSON.", "quiet": "No progress, results only."}
STOPPED = 130  # exit code of what was broken off
EVERY = 0.2  # seconds between updates of a live line
EVERY_LINE = 10.0  # seconds between lines where nothing can be overwritten


def emit(value: Any, text: str | Callable[[], str]) -> None:
    """Print a result: `value` as JSON if that was asked for, else `text`."""
    if _options()["json"]:
        click.echo(json.dumps(value, indent=2, ensure_ascii=False))
    else:
        click.echo(text if isinstance(text, str) else text())


def say(text: str) -> None:
    """A word to whoever watches; not part of the result."""
    if not _options()["quiet"]:
        click.echo(text, err=True)


def progress() -> Progress:
    """How a room's progress is shown here: a live line, a line now and then, or nothing."""
    if _options()["quiet"]:
        return silent
    return LiveLine() if sys.stderr.isatty() else LogLines()


def with_output_options(command: click.Command) -> click.Command:
    """The command with `--json` and `--quiet`, which may stand before it as well as after it."""
    if not isinstance(command, click.Group) and not any(p.name == "json" for p in command.params):
        for name, text in OUTPUT.items():
            option = click.Option(
                [f"--{name}"], is_flag=True, expose_value=False, callback=_remember, help=text
            )
            command.params.append(option)
    return command


def _remember(context: click.Context, option: click.Parameter, value: bool) -> None:
    if value:
        context.ensure_object(dict)[option.name] = True


def _options() -> dict[str, bool]:
    context = click.get_current_context(silent=True)
    return dict.fromkeys(OUTPUT, False) | ((context.obj if context else None) or {})


class LiveLine:
    """One line that is written over: stage, share done, time left, note."""

    def __init__(self) -> None:
        self._stage = ""
        self._started = self._shown = 0.0
        self._first = 0.0

    def __call__(self, stage: str, done: float, total: float | None, note: str = "") -> None:
        now = time.monotonic()
        if stage != self._stage:
            self._stage, self._started, self._first, self._shown = stage, now, done, 0.0
        finished = total is not None and done >= total
        if now - self._shown < EVERY and not finished:
            return
        self._shown = now
        left = remaining(done - self._first, total, done, now - self._started)
        self._write("  ".join(filter(None, [f"{stage:<9}", share(done, total), note, left])))
        if finished:
            click.echo(err=True)
            self._stage = ""

    def _write(self, line: str) -> None:
        width = shutil.get_terminal_size().columns - 1
        click.echo(f"\r\x1b[2K{line[:width]}", nl=False, err=True)


class LogLines:
    """A line when a stage begins and ends, and every few seconds between."""

    def __init__(self) -> None:
        self._stage = ""
        self._started = self._shown = self._first = 0.0

    def __call__(self, stage: str, done: float, total: float | None, note: str = "") -> None:
        now = time.monotonic()
        if stage != self._stage:
            self._stage, self._started, self._first = stage, now, done
            self._shown = now - EVERY_LINE
        finished = total is not None and done >= total
        if now - self._shown < EVERY_LINE and not finished:
            return
        self._shown = now
        left = remaining(done - self._first, total, done, now - self._started)
        click.echo("  ".join(filter(None, [stage, share(done, total), note, left])), err=True)


def share(done: float, total: float | None) -> str:
    """`42 %`, or nothing if the whole is not known."""
    return f"{done / total:4.0%}" if total else ""


def remaining(gained: float, total: float | None, done: float, seconds: float) -> str:
    """How long the rest will take at the speed so far."""
    if total is None or gained <= 0 or done >= total or seconds < 1:
        return ""
    return f"{duration((total - done) * seconds / gained)} left"


def duration(seconds: float) -> str:
    """`3 min 5 s`, `12 s`, `2 h 3 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def size(count: float) -> str:
    """`1.5 MB`; powers of a thousand."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} B" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def count(number: float) -> str:
    """`1.5M`; powers of a thousand."""
    for unit in ("", "k", "M", "B", "T"):
        if number < 1000:
            return f"{number:.0f}" if not unit else f"{number:.1f}{unit}"
        number /= 1000
    return f"{number:.1f}P"


def table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Columns as wide as their longest cell; numbers to the right."""
    cells = [[str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(head, *cells, strict=True)]
    numeric = [
        bool(rows) and all(isinstance(row[i], int | float) for row in rows)
        for i in range(len(head))
    ]

    def line(row: Sequence[str]) -> str:
        parts = [
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(row, widths, numeric, strict=True)
        ]
        return "  ".join(parts).rstrip()

    return "\n".join([line(list(head)), line(["-" * w for w in widths]), *map(line, cells)])
