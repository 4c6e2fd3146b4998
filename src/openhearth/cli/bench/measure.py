"""`hearth bench run`, `sweep`, `compare`, `monitor` and `gate`."""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from openhearth.cli.bench.options import plan, plan_options
from openhearth.cli.bench.results import tell
from openhearth.cli.frame import STOPPED, progress
from openhearth.errors import UsageError

if TYPE_CHECKING:
    from openhearth.bench.measuring import Measuring

UNITS = {"s": 1, "min": 60, "h": 3600, "d": 86400}

_url = click.option("--url", required=True, help="The server, without /v1.")
_model = click.option("--model", required=True, help="The model to ask for.")
_key = click.option(
    "--api-key", envvar="OPENHEARTH_API_KEY", default="", help="Else OPENHEARTH_API_KEY."
)


def seconds(context: click.Context, option: click.Parameter, value: str) -> float:
    """`90s`, `15min`, `6h`, `7d`."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(s|min|h|d)", value)
    if not found:
        raise click.BadParameter(f"{value!r} is no time: write 90s, 15min, 6h or 7d.")
    return float(found[1]) * UNITS[found[2]]


def part(context: click.Context, option: click.Parameter, value: str) -> tuple[int, int]:
    """`2/3`."""
    found = re.fullmatch(r"(\d{1,4})/(\d{1,4})", value)
    if not found or not 1 <= int(found[1]) <= int(found[2]):
        raise click.BadParameter(f"{value!r} is no share: write 1/3, 2/3 or 3/3.")
    return int(found[1]), int(found[2])


def _carry_out(
    recipe: str,
    servers: list[tuple[str, str, str]],
    options: dict[str, Any],
    work: Callable[[Measuring], object],
) -> None:
    from openhearth.bench.measuring import Measuring

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: there is a report
    measuring = Measuring(plan(recipe, servers, options), progress())
    disclosure = measuring.carry_out(work)
    tell(measuring.plan.out, disclosure)
    if disclosure.partial:
        raise click.exceptions.Exit(STOPPED)


@click.command()
@click.argument("recipe")
@_url
@_model
@_key
@click.option(
    "--share",
    default="1/1",
    show_default=True,
    callback=part,
    metavar="K/N",
    help="Which of how many machines this is; `hearth bench merge` joins their reports.",
)
@click.option("--begin", type=float, metavar="TIME", help="Unix time at which all of them begin.")
@plan_options
def run(recipe: str, url: str, model: str, api_key: str, **options: Any) -> None:
    """Carry out RECIPE against a server, and write a report.

    RECIPE is a file or the name of one that comes with OpenHearth, such as chat-small. Ctrl-C
    leaves a valid report of what came until then.
    """
    _carry_out(recipe, [(url, model, api_key)], options, lambda it: it.session.point("ranked"))


@click.command()
@click.argument("recipe")
@_url
@_model
@_key
@plan_options
def sweep(recipe: str, url: str, model: str, api_key: str, **options: Any) -> None:
    """Find the capacity of a server: the highest rate at which RECIPE's objective holds."""
    from openhearth.bench import runs

    _carry_out(recipe, [(url, model, api_key)], options, lambda it: runs.sweep(it.session))


@click.command()
@click.argument("recipe")
@click.argument("servers", nargs=-1, required=True, metavar="URL#MODEL URL#MODEL...")
@click.option("--api-key", "keys", multiple=True, help="Of each server in turn. Repeatable.")
@click.option("--turns", default=3, show_default=True, type=click.IntRange(2, 100))
@plan_options
def compare(
    recipe: str, servers: tuple[str, ...], keys: tuple[str, ...], turns: int, **options: Any
) -> None:
    """Measure servers in turns on RECIPE's load, and tell by how much they differ.

    A server is its URL without /v1, a `#`, and the model's name there.
    """
    from openhearth.bench import runs

    if len(servers) < 2:
        raise UsageError("Name two servers or more, each as URL#MODEL.")
    found = []
    for number, server in enumerate(servers):
        url, _, model = server.partition("#")
        if not model:
            raise UsageError(f"{server!r} has no model: write URL#MODEL.")
        found.append((url, model, keys[number] if number < len(keys) else ""))
    _carry_out(recipe, found, options, lambda it: runs.compare(it.session, turns))


@click.command()
@click.argument("recipe")
@_url
@_model
@_key
@click.option("--every", default="3h", show_default=True, callback=seconds)
@click.option("--for", "duration", default="7d", show_default=True, callback=seconds)
@plan_options
def monitor(
    recipe: str,
    url: str,
    model: str,
    api_key: str,
    every: float,
    duration: float,
    **options: Any,
) -> None:
    """Carry out RECIPE now and again; the report is written anew each time."""
    from openhearth.bench import runs

    until = time.time() + duration

    def work(it: Measuring) -> None:
        runs.monitor(it.session, every, until, it.write)

    _carry_out(recipe, [(url, model, api_key)], options, work)


@click.command()
@click.argument("recipe")
@_url
@_model
@_key
@plan_options
def gate(recipe: str, url: str, model: str, api_key: str, **options: Any) -> None:
    """Ask only the gate's questions of RECIPE, and hold the answers against a reference."""
    if not options["reference"]:
        raise UsageError("Give --reference: what the served model is held against.")
    _carry_out(recipe, [(url, model, api_key)], options, lambda it: None)
