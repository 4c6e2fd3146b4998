"""`hearth bench import`: what other load generators measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from openhearth.cli.frame import emit, say, table

HEAD = ["load", "asked", "errors", "TTFT ms p50/p99", "TPOT ms p50/p99", "E2E ms p50/p99",
        "tokens/s", "requests/s"]  # fmt: skip


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="A new directory.")
def import_(file: Path, out: Path) -> None:
    """Read FILE, a report of guidellm (JSON) or records of aiperf (profile_export.jsonl).

    OUT gets its requests as our records, and figures by our definitions. It is foreign: neither
    ranked nor gated.
    """
    from openhearth.bench.foreign import read_foreign, write_foreign

    found = write_foreign(out, read_foreign(file))
    emit(found, lambda: _text(found))
    say(f"Not in the file: {'; '.join(found['missing'])}.")


def _text(found: dict[str, Any]) -> str:
    rows = [_row(number, point) for number, point in enumerate(found["points"], 1)]
    name = " ".join(filter(None, [found["foreign"], found["version"], found["model"]]))
    return f"{table(HEAD, rows)}\n\nForeign ({name}): neither ranked nor gated."


def _row(number: int, point: dict[str, Any]) -> list[Any]:
    spreads = [_spread(point[name]) for name in ("ttft_ms", "tpot_ms", "e2e_ms")]
    rates = [_short(point[name]) for name in ("tokens_per_second", "requests_per_second")]
    return [number, point["requests"], point["errors"], *spreads, *rates]


def _spread(spread: dict[str, Any] | None) -> str:
    if spread is None:
        return "-"
    return f"{_short(spread['p50']['value'])} / {_short(spread['p99']['value'])}"


def _short(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"
