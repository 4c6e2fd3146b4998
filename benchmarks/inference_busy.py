"""Away from the quiet laboratory: with a busy neighbour, and from nothing to the first token.

A neighbour is a process that computes without end. `hearth serve` and `llama-server` decode one
stream in turn, each with two threads, beside it and without it. The time to the first token is that
of a process of `hearth run`, from its start to its end, and within a process that has imported what
it needs; weights are in the page cache, and there is no peer but the goal.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import _llama_server
from _clients import clients
from _results import Row, seconds, write
from _servers import KEY, THREADS, Server, hearth, llama_server
from _sides import Measure, side
from _smollm import NAME, base, prepare
from inference_http import WORDS, ask, words

LOADED = 1.0  # seconds from nothing to the first token, at most
SPIN = "while True: pass"


@contextmanager
def neighbour() -> Iterator[None]:
    process = subprocess.Popen([sys.executable, "-c", SPIN])
    try:
        yield
    finally:
        process.kill()
        process.wait()


def speed(measure: Measure, server: Server) -> float:
    """Tokens per second of one stream, the median of three answers."""
    body = {"model": server.model}
    return statistics.median(
        measure(server.url, KEY, [[ask(words(WORDS)) | body]]).speeds[0] for _ in range(3)
    )


def busy(home: str, file: Path) -> list[Row]:
    measure = side(clients)
    with hearth(home) as ours, llama_server(file) as theirs:
        servers = {"ours": ours, "llama-server Q4_0": theirs}
        quiet = {who: speed(measure, server) for who, server in servers.items()}
        with neighbour():
            beside = {who: speed(measure, server) for who, server in servers.items()}
    (mine, peer) = servers
    return [
        Row("one stream, beside a neighbour", "tokens/s", beside[mine], beside[peer], peer, 1.0),
        Row("ours, beside one / quiet", "tokens/s", beside[mine], quiet[mine], "ours, quiet", 0.45),
        Row("theirs, beside one / quiet", "tokens/s", beside[peer], quiet[peer], "quiet", 0.0),
    ]


def load(home: str) -> Callable[[], float]:
    """Seconds from nothing to the first token, in a process that has imported all it needs."""
    os.environ["OPENHEARTH_HOME"] = home
    from openhearth.inference import Engine

    def first() -> None:
        with Engine(NAME, dtype="int4", threads=THREADS) as engine:
            engine.generate("Hello", max_tokens=1, temperature=0)

    first()
    return partial(seconds, first)


def run(home: str) -> None:
    """`hearth run` for one token."""
    options = ["--max-tokens", "1", "--temperature", "0", "--dtype", "int4"]
    program = [sys.executable, "-m", "openhearth.cli", "--json"]
    command = [*program, "run", NAME, "Hello", *options]
    environment = os.environ | {"OPENHEARTH_HOME": home}
    done = subprocess.run(command, env=environment, check=True, capture_output=True)
    assert json.loads(done.stdout)["usage"]["completion_tokens"] == 1


def loading(home: str) -> list[Row]:
    run(home)  # fills the page cache
    whole = statistics.median(seconds(partial(run, home)) for _ in range(5))
    measure = side(partial(load, home))
    within = statistics.median(measure() for _ in range(5))
    work = {"`hearth run`, one token, whole process": whole, "Engine, to its first token": within}
    return [
        Row(name, "s", found, LOADED, "limit", 1.0, less_is_better=True)
        for name, found in work.items()
    ]


def main() -> None:
    with TemporaryDirectory() as folder:
        home, file = str(Path(folder) / "home"), Path(folder) / "q4_0.gguf"
        prepare(home)
        _llama_server.quantise(base().path("model.gguf"), file)
        write("inference_busy", [*loading(home), *busy(home, file)])


if __name__ == "__main__":
    main()
