"""`hearth serve MODEL`: a small server of one process, without accounts, over one model."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from openhearth.cli.engine_options import engine_options
from openhearth.cli.listening import listening_options

if TYPE_CHECKING:
    from openhearth.platform import Keys, Tls

PORT = click.option(
    "--port", default=8080, show_default=True, type=click.IntRange(1, 65535), help="Port."
)


@click.command()
@click.argument("model")
@click.option(
    "--adapter",
    "adapters",
    multiple=True,
    metavar="NAME[=PATH]",
    help="Serve this too: an adapter in the store, or a directory as peft writes it. Repeatable.",
)
@engine_options
@listening_options
@PORT
def serve(
    model: str, adapters: tuple[str, ...], host: str, port: int, tls: Tls | None, **settings: Any
) -> None:
    """Serve MODEL, and adapters, behind the OpenAI and Together APIs until Ctrl-C.

    MODEL is a name in the store or the catalogue, a GGUF file, or a Hugging Face directory.
    Adapters are read when they are first asked for.
    OPENHEARTH_API_KEY, if it is set, is a key to the server; otherwise one is made and shown at
    the first start.
    """
    from openhearth import platform
    from openhearth.inference import Engine
    from openhearth.platform.port import url_of
    from openhearth.store import Store

    # A service is stopped with SIGTERM: end as after Ctrl-C, also while the model is loading.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    platform.check_port(host, port)
    url = url_of(host, port, tls)
    store, named = Store(), dict(map(adapter_named, adapters))
    keys = platform.Keys.open(store.root)
    keys.adopt_environment()

    def ready() -> None:
        served = [card.name for card in engine.models()]
        click.echo(_greeting(keys, served, url))

    engine = Engine.open(store, [model], adapters=named, **settings)
    platform.serve(engine, keys, host=host, port=port, tls=tls, ready=ready)


def adapter_named(text: str) -> tuple[str, str | Path]:
    """The name of an adapter, and where it is: by this name in the store, or in a directory."""
    name, given, path = text.partition("=")
    return name, Path(path) if given else name


def _greeting(keys: Keys, names: list[str], url: str) -> str:
    """What is served where; a new key is made only now, when it is sure to be seen."""
    key = keys.first_start()
    lines = [f"Serving {', '.join(names)} at {url}/v1 (Ctrl-C stops)."]
    if key:
        lines.append(f"API key, shown only this once: {key}")
    return "\n".join(lines)
