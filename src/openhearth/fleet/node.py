"""The process of a node: `python -m openhearth.fleet.node`, until SIGTERM or SIGINT."""

from __future__ import annotations

import asyncio
import logging
import secrets
import signal
from dataclasses import asdict
from functools import partial
from pathlib import Path

import click
import orjson

from openhearth.errors import HearthError
from openhearth.fleet.broker import BUS
from openhearth.fleet.bus import Bus
from openhearth.fleet.engines import Engines
from openhearth.fleet.serving import Node
from openhearth.fleet.thread import new_loop
from openhearth.inference import Engine
from openhearth.inference.lane import MOST_WAITING
from openhearth.inference.served import Settings
from openhearth.store import Store


async def run(url: str, store: Store, engines: Engines, room: int, grace: float) -> None:
    """A node until SIGTERM or SIGINT.

    Raises:
        BusDown: the broker at `url` does not answer.
    """
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with await Bus.connect(url, f"node-{secrets.token_hex(8)}") as bus:
        node = Node(bus, store, engines, room)
        await node.start()
        await stop.wait()
        await node.stop(grace)


@click.command()
@click.option("--bus", envvar=BUS, required=True, help=f"The broker's URL; also from {BUS}.")
@click.option("--home", type=click.Path(path_type=Path), help="The store's directory.")
@click.option("--idle", default=300.0, show_default=True, help="Seconds that a model is kept for.")
@click.option("--models", default=4, show_default=True, help="In memory at once, at most.")
@click.option("--grace", default=30.0, show_default=True, help="Seconds to finish in when stopped.")
@click.option("--engine", default="{}", help="Settings of the engines, as a JSON object.")
def main(bus: str, home: Path | None, idle: float, models: int, grace: float, engine: str) -> None:
    """Answer the gateways on a bus with the models of a store."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s node %(levelname)s %(message)s")
    try:
        store, settings = Store(home), Settings(**orjson.loads(engine))
        opening, size = partial(open_engine, store, settings), partial(size_of, store)
        engines = Engines(opening, size, idle=idle, most=models)
        room = settings.most_running + MOST_WAITING
        with asyncio.Runner(loop_factory=new_loop) as runner:
            runner.run(run(bus, store, engines, room, grace))
    except (HearthError, TypeError, orjson.JSONDecodeError) as error:
        raise click.ClickException(str(error)) from error


def open_engine(store: Store, settings: Settings, digest: str) -> Engine:
    """The engine of a model in the store."""
    return Engine(digest, store=store, **asdict(settings))


def size_of(store: Store, digest: str) -> int:
    """The bytes of all files of a model in the store."""
    return sum(entry.size for entry in store.load(digest).manifest.files.values())


if __name__ == "__main__":
    main()
