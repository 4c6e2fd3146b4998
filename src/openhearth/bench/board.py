"""A board: a static site of tables from reports that hold, and of those that do not.

Only entries that may be compared share a table (rule 1). Pages of reports are made anew from their
figures: nothing that came with a report is copied, and no name of it becomes a path.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from openhearth.bench.mixes import implied_prices
from openhearth.bench.report import plots, words
from openhearth.bench.report.disclosure import FILE, Disclosure, read_disclosure, whole
from openhearth.bench.report.page import page
from openhearth.bench.report.verify import holds, verify
from openhearth.bench.report.write import FIGURES, PAGE, RECORDS, REFERENCE
from openhearth.errors import HearthError, UsageError
from openhearth.page import render
from openhearth.store import write_atomically
from openhearth.store.disk import explain_disk_errors, new_directory

HERE = Path(__file__).parent
DATA, INDEX, REPORTS = "data.json", "index.html", "reports"
YEAR_S = 365.25 * 86400  # after which entries end (rule 56)
DAY_S = 86400.0  # that clocks may differ
# Of what strangers send, more than this is not looked at.
DEEPEST, MOST_FOLDERS, MOST_REPORTS = 8, 100_000, 10_000
LARGEST = {RECORDS: 1 << 30, REFERENCE: 1 << 30, FIGURES: 64 << 20, PAGE: 64 << 20}  # bytes
LONGEST = 300  # characters of why a report was refused

Plain = dict[str, Any]


@dataclass(frozen=True)
class Refused:
    """A report that does not hold, by its directory, and why."""

    where: str
    why: str


@dataclass(frozen=True)
class Table:
    """Entries that may be compared, best first. `frontier` is a plot, if prices are known."""

    about: Plain
    rows: list[Plain]
    frontier: str | None


@dataclass(frozen=True)
class Board:
    """What is on it. `unranked` are entries that tables do not take, each with `why`."""

    tables: list[Table]
    unranked: list[Plain]
    refused: list[Refused]
    implied: list[Plain]  # prices, of systems with several mixes (rule 49)

    @property
    def shown(self) -> int:
        """Entries in tables."""
        return sum(len(table.rows) for table in self.tables)

    def to_dict(self) -> Plain:
        """Plain data for JSON."""
        return {
            "board": 1,
            "tables": [table.about | {"rows": table.rows} for table in self.tables],
            "unranked": self.unranked,
            "refused": [vars(one) for one in self.refused],
            "implied": self.implied,
        }


def build(directory: Path, out: Path, now: float | None = None) -> Board:
    """Look at all reports under a directory, and write the site in place of one that was there.

    Raises:
        UsageError: there is no such directory, or `out` holds something else.
        HearthError: the disk is full or cannot be written.
    """
    if not directory.is_dir():
        raise UsageError(f"{directory} is no directory: name one that has reports in it.")
    _check_free(out)
    pages: dict[str, bytes] = {}
    rows: list[Plain] = []
    refused: list[Refused] = []
    for place in _places(directory, out):
        try:
            disclosure, figures = _held(place, time.time() if now is None else now)
        except HearthError as error:
            why = str(error).replace(f"{directory}{os.sep}", "")
            refused.append(Refused(_shown(place.relative_to(directory)), _shown(why)))
            continue
        if disclosure.name not in pages:
            pages[disclosure.name] = page(disclosure, figures)
            rows += _rows(disclosure, figures, time.time() if now is None else now)
    unranked = [row for row in rows if row["why"]]
    board = Board(_tables(rows), unranked, refused, implied_prices(rows))
    with explain_disk_errors(out), new_directory(out) as fresh:
        _fill(fresh, board, pages)
    return board


def _check_free(out: Path) -> None:
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        try:
            is_board = json.loads((out / DATA).read_bytes())["board"] == 1
        except (OSError, ValueError, LookupError, TypeError):
            is_board = False
        if not is_board:
            raise UsageError(f"{out} holds something else: name another place for the board.")


def _places(directory: Path, out: Path) -> Iterator[Path]:
    """Directories of reports, in the order of their names, so deep at most; links are not followed.

    Raises:
        UsageError: there are too many.
    """
    site, found = out.resolve(), 0
    for folders, (path, names, files) in enumerate(os.walk(directory)):
        inner = (name for name in names if name[0] != "." and Path(path, name).resolve() != site)
        names[:] = sorted(inner) if len(Path(path).relative_to(directory).parts) < DEEPEST else []
        if FILE in files:
            found += 1
            yield Path(path)
        if folders >= MOST_FOLDERS or found > MOST_REPORTS:
            raise UsageError(
                f"{directory} has more than {MOST_REPORTS:,} reports or {MOST_FOLDERS:,} folders: "
                "build boards of parts of it."
            )


def _shown(text: os.PathLike[str] | str) -> str:
    """Text of others that may be shown: not too long, and UTF-8 whatever the disk has."""
    plain = os.fspath(text).encode(errors="replace").decode()
    return plain if len(plain) <= LONGEST else f"{plain[:LONGEST]}…"


def _held(place: Path, now: float) -> tuple[Disclosure, Plain]:
    """A report that holds.

    Raises:
        HearthError: it does not; the text says why.
    """
    _check_files(place)
    checks = verify(place)
    if not holds(checks):
        wrong = next(check for check in checks if not check.holds)
        raise HearthError(f"{wrong.what}: {wrong.detail}.")
    disclosure = read_disclosure(place)
    if disclosure.created > now + DAY_S:
        raise HearthError("It says that it was made in the future.")
    return disclosure, json.loads((place / FIGURES).read_bytes())


def _check_files(place: Path) -> None:
    """Refuse a report whose files are none, or absurdly large, before any is read."""
    for name in (FILE, *LARGEST):
        path = place / name
        if path.is_symlink() or (path.exists() and not path.is_file()):
            raise HearthError(f"{name} is no file: links and devices are not looked at.")
        if name in LARGEST and path.is_file() and path.stat().st_size > LARGEST[name]:
            raise HearthError(f"{name} has more than {LARGEST[name]:,} bytes.")


def _rows(disclosure: Disclosure, figures: Plain, now: float) -> Iterator[Plain]:
    recipe = disclosure.recipe.model_dump(mode="json")
    for place, entry in enumerate(figures["entries"]):
        spoken = figures["points"][entry["headline"]] if entry["headline"] is not None else None
        yield {
            "report": disclosure.name,
            "entry": place,
            "model": entry["model"],
            "named": _named(disclosure, entry["model"]),
            "url": entry["url"],
            "system": entry["system"],
            "stake": entry["stake"],
            "approximations": entry["approximations"],
            "division": entry["division"],
            "class": entry["class"],
            "kind": _kind(figures, entry),
            "recipe": figures["recipe"],
            "recipe_digest": figures["recipe_digest"],
            "workloads": recipe["workloads"],
            "objective": words.objective(recipe["objective"]),
            "protocol": figures["protocol"],
            "created": figures["created"],
            "place": disclosure.client.place,
            "network_ms": spoken["network_ms"][0] if spoken else None,
            "capacity": entry["capacity"]["rate"] if entry["capacity"] else None,
            "cost": entry["cost"],
            "dollars": (entry["cost"] or {}).get("per_million_useful"),
            "per_hour": (entry["cost"] or {}).get("per_hour"),
            "signer": (disclosure.signature or {}).get("key"),
            "load": words.load(spoken["load"]) if spoken else None,
            "goodput": spoken["answers"]["rates"]["goodput"] if spoken else None,
            "useful_tokens": spoken["answers"]["rates"]["useful_tokens"] if spoken else None,
            "ttft_ms": _value(spoken, "ttft_ms"),
            "tpot_ms": _value(spoken, "tpot_ms"),
            "over_time": figures["over_time"],
            "why": _why(disclosure, figures, entry, now),
        }


def _named(disclosure: Disclosure, model: str) -> str:
    """Which model it is: the reference's digest where there is one, since names differ."""
    digest = re.search(r"[0-9a-f]{64}", disclosure.reference or "")
    return digest[0] if digest else disclosure.reference or model


def _kind(figures: Plain, entry: Plain) -> str:
    """What was measured, since capacities and figures at a given load do not compare."""
    if entry["capacity"]:
        return "capacity"
    return "over time" if figures["over_time"] else "the recipe's load"


def _value(spoken: Plain | None, name: str) -> list[float | None] | None:
    """P50 and P99."""
    spread = spoken and spoken["answers"][name]
    return [spread[one]["value"] for one in ("p50", "p99")] if spread else None


def _why(disclosure: Disclosure, figures: Plain, entry: Plain, now: float) -> str | None:
    """Why tables do not take an entry; None if they do."""
    if entry["ranked"]:
        return "ended: it is more than twelve months old" if _is_old(disclosure, now) else None
    if figures["partial"]:
        return "partial"
    if not disclosure.recipe.ranked:
        callers = disclosure.recipe.load.arrivals == "callers"
        return "a fixed number of callers" if callers else "short"
    if entry["headline"] is None:
        return "no load speaks for it"
    return "short, or the load generator was late"


def _is_old(disclosure: Disclosure, now: float) -> bool:
    return now - disclosure.created > YEAR_S


# What all entries of a table have in common (rules 1 and 3).
COMMON = ("division", "class", "kind", "recipe", "recipe_digest", "workloads", "objective", "named",
          "protocol")  # fmt: skip


def _tables(rows: Sequence[Plain]) -> list[Table]:
    found: dict[str, list[Plain]] = {}
    for row in rows:
        if row["why"] is None:
            key = json.dumps([row[name] for name in COMMON], sort_keys=True)
            found.setdefault(key, []).append(row)
    return [_table(sorted(some, key=_merit)) for _, some in sorted(found.items())]


def _table(rows: list[Plain]) -> Table:
    priced = [
        (str(number), row["dollars"], row["useful_tokens"])
        for number, row in enumerate(rows, 1)
        if row["dollars"] is not None
    ]
    return Table({name: rows[0][name] for name in COMMON}, rows, plots.frontier(priced))


def _merit(row: Plain) -> tuple[float, float, str]:
    """By dollars; those without prices after them, by what they carry."""
    price = float("inf") if row["dollars"] is None else row["dollars"]
    return price, -(row["capacity"] or row["goodput"] or 0.0), row["report"]


def _fill(directory: Path, board: Board, pages: dict[str, bytes]) -> None:
    script = (HERE / "board.js").read_text()
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    write_atomically(directory / DATA, whole(board.to_dict()))
    for name, template in ((INDEX, "board.html.jinja"), ("refused.html", "refused.html.jinja")):
        made = render(HERE / template, board=board, words=words, script=script, digest=digest)
        write_atomically(directory / name, made)
    for name, data in pages.items():
        write_atomically(directory / REPORTS / f"{name}.html", data)
