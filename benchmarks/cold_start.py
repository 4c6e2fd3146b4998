"""What it costs that no model waits in memory: the first answer, and what is given back for it.

`hearth up` is started from nothing; then a model that is not in memory is asked for, and asked
again, with its files in the kernel's page cache and without; then nobody asks until it has left.
The memory is that of the node's process. llama.cpp's server loads its model when it is started,
which is how it is loaded on demand; it is built once, in ten to twenty minutes, and `--alone`
leaves it out. Prompts have about a hundred tokens, and what is timed ends with the first of the
answer. What has no goal is told for comparison. `--short` is for a look.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import _llama_server
from _clients import clients
from _page_cache import forget
from _results import REST, Row, write
from _running import Server, running
from _servers import KEY, THREADS, llama_server
from _smollm import NAME, base

from openhearth.platform import running as platforms
from openhearth.platform.supervisor import ask

IDLE = 1.0  # seconds until a model leaves memory
LOOK = 0.02
LIMIT = 5000.0  # milliseconds
BODY = {
    "model": NAME,
    "messages": [{"role": "user", "content": "coal wood iron clay " * 24}],
    "max_tokens": 4,
    "temperature": 0,
    "stream": True,
    "stream_options": {"include_usage": True},
}
first_token = clients()


def answer(server: Server) -> float:
    """Milliseconds until the first token of an answer."""
    return 1e3 * first_token(server.url, KEY, [[BODY]]).first(0.5)


@contextmanager
def hearth_up(home: Path) -> Iterator[Server]:
    """The whole platform over a store, as its users start it."""
    engine = ["--dtype", "int4", "--threads", str(THREADS)]
    options = ["--quiet", "--no-model", "--idle", str(IDLE), *engine]
    environment = os.environ | {"OPENHEARTH_HOME": str(home), "OPENHEARTH_API_KEY": KEY}
    command = [sys.executable, "-m", "openhearth.cli", "up", *options]
    with running(command, NAME, environment, alive="/readyz") as server:
        yield server


def from_nothing(start: Callable[[], AbstractContextManager[Server]]) -> float:
    """Milliseconds from the start of a server's process to the first token of an answer."""
    began = time.perf_counter()
    with start() as server:
        ready = 1e3 * (time.perf_counter() - began)
        return ready + answer(server)


def memory(process: int) -> float:
    """MB of a process that are resident."""
    status = Path(f"/proc/{process}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) * 1024 / 1e6


class Turns:
    """A model that comes and goes: first tokens in milliseconds, and MB of its node's process."""

    def __init__(self, server: Server, node: int) -> None:
        self._server, self._node = server, node
        self.cold: list[float] = []
        self.warm: list[float] = []
        self.there: list[float] = []
        self.gone: list[float] = []

    def take(self) -> None:
        """Ask for the model, which is not there, ask again, and wait until it has left."""
        time.sleep(REST)
        self.cold.append(answer(self._server))
        self.warm.append(statistics.median(answer(self._server) for _ in range(3)))
        self.there.append(memory(self._node))
        while ask(f"{self._server.url}/v1/models/{NAME}", KEY)["state"] == "loaded":
            time.sleep(LOOK)
        time.sleep(REST)  # in which what it had is given back
        self.gone.append(memory(self._node))


def less(
    work: str, ours: list[float], peer: list[float], name: str, goal: float, unit: str = "ms"
) -> Row:
    """The medians of what should be little."""
    medians = statistics.median(ours), statistics.median(peer)
    return Row(work, unit, *medians, name, goal, less_is_better=True)


def comes_and_goes(home: Path, file: Path | None, rounds: int) -> list[Row]:
    """A model that is always asked for after it has left, and a peer that is always started."""
    files = [base().path(name) for name in base().manifest.files]
    started: tuple[list[float], list[float]] = ([], [])
    with hearth_up(home) as server:
        node = (platforms.running(home) or sys.exit("It does not run.")).processes["node"] or 0
        empty = memory(node)
        kept, read = Turns(server, node), Turns(server, node)
        for _ in range(rounds):
            kept.take()
            forget(files)
            read.take()
            for times in started if file else ():
                forget([file] if times is started[1] else [])
                times.append(from_nothing(partial(llama_server, file)))
    left, there = kept.gone + read.gone, kept.there + read.there
    rows = [
        less("not in memory, page cache", kept.cold, kept.warm, "ours, in memory", 0.0),
        less("not in memory, disk", read.cold, read.warm, "ours, in memory", 0.0),
        less("a node, its model gone", left, there, "with the model", 2.0, "MB"),
        less("a node, its model gone", left, [empty], "before the first", 0.75, "MB"),
    ]
    for turns, times, where in ((kept, started[0], "page cache"), (read, started[1], "disk")):
        if times:
            rows.append(less(f"not in memory, {where}", turns.cold, times, "llama-server", 1.0))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--alone", action="store_true", help="without llama-server")
    parser.add_argument("--short", action="store_true", help="few rounds")
    options = parser.parse_args()
    rounds = 2 if options.short else 7
    with TemporaryDirectory() as folder:
        home, file = Path(folder) / "home", Path(folder) / "q4_0.gguf"
        os.environ["OPENHEARTH_HOME"] = str(home)
        model = base().path("model.gguf")
        if not options.alone:
            _llama_server.quantise(model, file)
        starts = [from_nothing(partial(hearth_up, home)) for _ in range(rounds + 1)][1:]
        rows = [less("hearth up, from nothing", starts, [LIMIT], "limit", 1.0)]
        rows += comes_and_goes(home, None if options.alone else file, rounds)
    write("cold_start", rows)


if __name__ == "__main__":
    main()
