"""`hearth serve MODEL` and `hearth up`: the API over some models, or over all that there are."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from openhearth.cli.engine_options import engine_options
from openhearth.errors import NotFound

if TYPE_CHECKING:
    from openhearth.platform import Keys
    from openhearth.store import Store

HOST = click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
PORT = click.option(
    "--port", default=8080, show_default=True, type=click.IntRange(1, 65535), help="Port."
)

SNIPPETS = """
  from openai import OpenAI
  client = OpenAI(base_url="{url}/v1", api_key="{key}")
  print(client.chat.completions.create(model="{model}", messages={ask}))

  from together import Together
  client = Together(base_url="{url}", api_key="{key}")
  print(client.chat.completions.create(model="{model}", messages={ask}))
"""
ASK = '[{"role": "user", "content": "Hello"}]'


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
@HOST
@PORT
def serve(model: str, adapters: tuple[str, ...], host: str, port: int, **settings: Any) -> None:
    """Serve MODEL, and adapters, behind the OpenAI and Together APIs until Ctrl-C.

    MODEL is a name in the store or the catalogue, a GGUF file, or a Hugging Face directory.
    Adapters are read when they are first asked for.
    OPENHEARTH_API_KEY, if it is set, is a key to the server; otherwise one is made and shown at
    the first start.
    """
    from openhearth.store import Store

    named = dict(map(adapter_named, adapters))
    _serve(Store(), [model], host, port, settings | {"adapters": named}, snippets=False)


def adapter_named(text: str) -> tuple[str, str | Path]:
    """The name of an adapter, and where it is: by this name in the store, or in a directory."""
    name, given, path = text.partition("=")
    return name, Path(path) if given else name


@click.command()
@engine_options
@HOST
@PORT
def up(host: str, port: int, **settings: Any) -> None:
    """Serve every model and adapter that has a name and writes text; show how to call them."""
    from openhearth.models import writes_text
    from openhearth.store import Store

    store = Store()
    names = [name for name in store.refs.all() if writes_text(store.get(name))]
    if not names:
        raise NotFound(
            "There is no model to serve yet: `hearth pull` fetches one, `hearth demo` tunes one."
        )
    _serve(store, names, host, port, settings, snippets=True)


def _serve(
    store: Store,
    names: list[str],
    host: str,
    port: int,
    settings: dict[str, Any],
    *,
    snippets: bool,
) -> None:
    from openhearth import platform
    from openhearth.inference import Engine

    # A service is stopped with SIGTERM: end as after Ctrl-C, also while the model is loading.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    platform.check_port(host, port)
    keys = platform.Keys.open(store.root)
    keys.adopt_environment()

    def ready() -> None:
        served = [card.name for card in engine.models()]
        click.echo(_greeting(keys, served, _url(host, port), snippets))

    engine = Engine.open(store, names, **settings)
    platform.serve(engine, keys, host=host, port=port, ready=ready)


def _url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _greeting(keys: Keys, names: list[str], url: str, snippets: bool) -> str:
    """What is served where; a new key is made only now, when it is sure to be seen."""
    key = keys.first_start()
    lines = [f"Serving {', '.join(names)} at {url}/v1 (Ctrl-C stops)."]
    if key:
        lines.append(f"API key, shown only this once: {key}")
    if snippets:
        lines.append(SNIPPETS.format(url=url, key=key or "YOUR KEY", model=names[0], ask=ASK))
    return "\n".join(lines)
