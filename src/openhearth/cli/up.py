"""`hearth up`, `hearth down` and `hearth status`: the platform on this machine."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from openhearth.cli.engine_options import Size, engine_options
from openhearth.cli.frame import emit, say, table
from openhearth.cli.keys import Credits
from openhearth.cli.listening import listening_options
from openhearth.errors import HearthError

if TYPE_CHECKING:
    from openhearth.platform.running import Running
    from openhearth.platform.supervisor import Ready
    from openhearth.platform.tls import Tls

FIRST_MODEL = "smollm2-135m"
ENDING = 60.0  # seconds
LOOK = 0.05
NOT_RUNNING = 3  # exit code
LONGEST_IDLE = 1e9  # seconds; thirty years
ASK = '[{"role": "user", "content": "Hello"}]'
PASTE = """
  from openai import OpenAI
  client = OpenAI(base_url="{url}/v1", api_key="{key}")
  print(client.chat.completions.create(model="{model}", messages={ask}))

  from together import Together
  client = Together(base_url="{url}", api_key="{key}")
  print(client.chat.completions.create(model="{model}", messages={ask}))

  curl {url}/v1/chat/completions -H "Authorization: Bearer {key}" \\
    -H "Content-Type: application/json" -d '{{"model": "{model}", "messages": {ask}}}'
"""


@click.command()
@engine_options
@listening_options
@click.option(
    "--port",
    default=8080,
    show_default=True,
    type=click.IntRange(0, 65535),
    help="Port; 0 is any that is free.",
)
@click.option(
    "--credits",
    "free",
    type=Credits(),
    default="25.00",
    show_default=True,
    help="What a new organisation begins with.",
)
@click.option(
    "--storage",
    type=Size(),
    help="What a project may keep of uploaded files; else 100GiB.",
)
@click.option(
    "--idle",
    type=click.FloatRange(0, LONGEST_IDLE),
    help="Seconds that a model which nobody asks stays in memory; else 300.",
)
@click.option("--no-model", is_flag=True, help=f"Do not bring {FIRST_MODEL} if it is not there.")
@click.option("--detach", is_flag=True, help="Go on in the background; `hearth down` ends it.")
@click.pass_context
def up(
    context: click.Context,
    host: str,
    port: int,
    tls: Tls | None,
    free: int,
    storage: int | None,
    idle: float | None,
    no_model: bool,
    detach: bool,
    **engine: Any,
) -> None:
    """Run the whole platform on this machine, until Ctrl-C.

    Everything in the store that has a name and writes text can be asked for, behind the OpenAI and
    Together APIs, with accounts, credits, jobs and files. With --json the first line of output is
    {"url": …, "key": …}.
    """
    from openhearth.platform.supervisor import Options, Supervisor
    from openhearth.store import Store

    home = Store().root
    if detach:
        _detach(home)
        return
    models = [] if no_model else [FIRST_MODEL]

    def ready(found: Ready) -> None:
        if (context.obj or {}).get("json"):
            click.echo(json.dumps({"url": found.url, "key": found.key}))
        else:
            click.echo(_greeting(found, _example(home)))
        sys.stdout.flush()

    Supervisor(Options(home, host, port, tls, models, free, storage, idle, engine)).run(ready)
    say("Everything has ended.")


@click.command()
def down() -> None:
    """End the platform that runs over this home, and wait until it has ended."""
    from openhearth.platform.running import running
    from openhearth.store.disk import home

    found = running(home())
    if found is None:
        emit({"ended": None}, f"Nothing runs over {home()}.")
        return
    os.kill(found.pid, signal.SIGTERM)
    deadline = time.monotonic() + ENDING
    while running(home()) is not None:
        if time.monotonic() > deadline:
            raise HearthError(
                f"The platform (process {found.pid}) has not ended within {ENDING:g} s: end it by "
                f"`kill -9 {found.pid}`, which loses nothing that was answered."
            )
        time.sleep(LOOK)
    emit({"ended": found.pid}, f"Everything at {found.url} has ended.")


@click.command()
def status() -> None:
    """Say what runs over this home, and what is in memory; the exit code is 3 if nothing runs."""
    from openhearth.platform.running import running
    from openhearth.store.disk import home

    found = running(home())
    if found is None:
        emit({"running": False}, f"Nothing runs over {home()}: start it with `hearth up`.")
        raise click.exceptions.Exit(NOT_RUNNING)
    value = {name: part for name, part in vars(found).items() if name != "key"}
    models = _in_memory(found)
    emit({"running": True} | value | {"models": models}, lambda: _status(found, home(), models))


def _in_memory(found: Running) -> list[dict[str, Any]] | None:
    """The models that are there, and how long each was loaded; None if the gateway does not say."""
    from openhearth.platform.supervisor import ask

    told = ask(f"{found.url}/v1/models", found.key)
    return told and [
        {"model": one["id"], "load_seconds": one["load_seconds"]}
        for one in told["data"]
        if one["state"] == "loaded" and one["base"] is None
    ]


def _status(found: Running, home: Path, models: list[dict[str, Any]] | None) -> str:
    rows = [
        [name, str(pid or "starting"), found.restarts[name], _log(home, name)]
        for name, pid in found.processes.items()
    ]
    state = "answers" if found.ready else "is starting"
    head = f"{found.url} {state}; process {found.pid}, for {round(time.time() - found.since)} s."
    return f"{head}\n{table(['part', 'process', 'restarts', 'log'], rows)}\n\n{_models(models)}"


def _models(models: list[dict[str, Any]] | None) -> str:
    if models is None:
        return "The gateway does not say which models are in memory."
    rows = [[one["model"], f"{one['load_seconds']:.2f} s"] for one in models]
    return table(["in memory", "loaded in"], rows) if rows else "No model is in memory."


def _log(home: Path, name: str) -> str:
    from openhearth.platform.running import log_of

    log = log_of(home, name)
    return str(log) if log.exists() else ""


def _detach(home: Path) -> None:
    """Start the same command in a session of its own, and wait until that is ready.

    Raises:
        HearthError: it does not start; the text has its last words.
    """
    from openhearth.platform.keys import OWN_KEY
    from openhearth.platform.running import log_of, running
    from openhearth.platform.supervisor import Ready

    if other := running(home):
        raise HearthError(
            f"A platform runs over {home} already, at {other.url} (process {other.pid})."
        )
    log = log_of(home, "up")
    log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    words = [word for word in sys.argv[1:] if word not in ("--detach", "--json")]
    with log.open("w+") as errors:
        child = subprocess.Popen(
            [sys.executable, "-m", "openhearth.cli", "--json", *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            start_new_session=True,
            text=True,
        )
        assert child.stdout is not None
        try:
            line = child.stdout.readline()
        except BaseException:
            child.terminate()
            raise
        if not line:
            child.wait()
            said = log.read_text().strip().removeprefix("hearth: ")
            raise HearthError(said or f"It ended with {child.returncode} and said nothing.")
    found, now = json.loads(line), running(home)
    passing = os.environ.get(OWN_KEY) or (now.key if now else None)
    emit(found, lambda: _greeting(Ready(**found, first=found["key"] != passing), _example(home)))


def _example(home: Path) -> str:
    """A model to ask in examples."""
    from openhearth.models import writes_text
    from openhearth.store import Store

    store = Store(home)
    names = store.refs.all()
    if FIRST_MODEL in names:
        return FIRST_MODEL
    for name in names:
        with contextlib.suppress(HearthError, OSError):  # a damaged one is no example
            if writes_text(store.get(name)):
                return name
    return FIRST_MODEL


def _greeting(found: Ready, model: str) -> str:
    from openhearth.platform.keys import OWN_KEY

    if found.first:
        key, about = found.key, f"API key, shown only this once: {found.key}"
    else:
        key, about = "YOUR KEY", "API keys: `hearth keys list`; `hearth keys create` makes one."
        if os.environ.get(OWN_KEY):
            about = f"API key: the one in {OWN_KEY}."
    head = f"OpenHearth answers at {found.url} (Ctrl-C or `hearth down` ends it).\n{about}"
    return head + "\n" + PASTE.format(url=found.url, key=key, model=model, ask=ASK)
