"""What the commands that measure take, and a plan from it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from openhearth.errors import UsageError

if TYPE_CHECKING:
    from openhearth.bench.measuring import Plan
    from openhearth.bench.session import Side

Command = TypeVar("Command", bound=Callable[..., Any])

PLAN_OPTIONS = (
    click.option("--out", type=click.Path(path_type=Path), help="Where the report goes; else "
                 "bench-RECIPE here."),
    click.option("--reference", metavar="MODEL|URL#MODEL", help="What the served model is held "
                 "against: a model of the store, or a server. Without, nothing is gated."),
    click.option("--reference-key", default="", help="A key to a reference's server."),
    click.option("--ca", type=click.Path(exists=True, dir_okay=False, path_type=Path),
                 help="Certificate authorities (PEM) to believe instead of the system's."),
    click.option("--prices", type=click.Path(path_type=Path), help="A price sheet, of each server "
                 "in turn. Repeatable.", multiple=True),
    click.option("--system", multiple=True, help="Engine, settings and hardware of each server, in "
                 "your words. Repeatable."),
    click.option("--approximates", multiple=True, help="What is not exact, such as four-bit "
                 "weights; of all servers. Repeatable."),
    click.option("--stake", default="", help="Yours in the result, if you have one."),
    click.option("--place", default="", help="Where this machine is."),
    click.option("--seed", type=click.IntRange(0, 2**56), help="Of all that is random."),
    click.option("--beacon", help="A public number that was not known when the recipe was."),
    click.option("--processes", default=1, show_default=True, type=click.IntRange(1, 64),
                 help="Of the load generator."),
    click.option("--signing-key", type=click.Path(dir_okay=False, path_type=Path),
                 help="An Ed25519 key (PEM), made if it is not there; else that of this home."),
)  # fmt: skip


def plan_options(command: Command) -> Command:
    """The command with all of `PLAN_OPTIONS`."""
    for option in reversed(PLAN_OPTIONS):
        command = option(command)
    return command


def plan(recipe: str, servers: Sequence[tuple[str, str, str]], options: dict[str, Any]) -> Plan:
    """Of a recipe, servers as (URL, model, key), and the options.

    Raises:
        HearthError: one of them makes no sense, or is not there.
    """
    from openhearth.bench.gate import reference_of
    from openhearth.bench.measuring import Plan
    from openhearth.bench.recipe import read_recipe

    found = read_recipe(recipe)
    if options["seed"] is not None and options["beacon"] is not None:
        raise UsageError("Give either --seed or --beacon: the seed of a beacon follows from it.")
    reference = options["reference"]
    return Plan(
        recipe=found,
        sides=[_side(number, server, options) for number, server in enumerate(servers)],
        out=options["out"] or Path(f"bench-{found.name}"),
        reference=reference_of(reference, options["reference_key"]) if reference else None,
        seed=options["seed"],
        beacon=options["beacon"],
        place=options["place"],
        processes=options["processes"],
        share=options.get("share", (1, 1)),
        begin=options.get("begin"),
        key=options["signing_key"],
    )


def _side(number: int, server: tuple[str, str, str], options: dict[str, Any]) -> Side:
    from openhearth.bench.load import Target
    from openhearth.bench.price import read_sheet
    from openhearth.bench.report.disclosure import Entry
    from openhearth.bench.session import Side

    url, model, key = server
    sheet = _one(options["prices"], number)
    entry = Entry(
        url=url,
        model=model,
        system=_one(options["system"], number) or "",
        stake=options["stake"],
        approximations=options["approximates"],
        prices=read_sheet(sheet) if sheet else None,
    )
    return Side(Target(url, model, key, options["ca"]), entry)


def _one(values: Sequence[Any], number: int) -> Any:
    """That of a server; one that stands alone is that of all."""
    if len(values) == 1:
        return values[0]
    return values[number] if number < len(values) else None
