"""Through HTTP: `hearth serve` against `llama-server`, both as users start them, with two threads.

One process of light clients asks both in turn, greedily, with prompts that neither has seen and an
end of the answer that neither may choose, so that both do the same work. llama.cpp is built for
this processor and runs with flash attention, sixteen slots, continuous batching and all weights in
Q4_0; ours has four bits too. The side whose turn it is not must sleep: its share of a core is told.
Figures are medians over the rounds. What is said for comparison only has no goal, which is 0.
"""

from __future__ import annotations

import random
import re
import statistics
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import cache
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import _llama_server
from _adapters import KINDS, Kind, write_adapters
from _clients import Body, Load, clients
from _results import Row, alternate, write
from _servers import KEY, SLOTS, Server, hearth, llama_server
from _sides import Measure, side
from _smollm import base, prepare

ENDS = {"0": -100, "2": -100}  # the model's tokens that end an answer
NEW = 128  # tokens of an answer
WORDS = 60  # of a prompt of about 100 tokens, the template's among them
PREFIX, PREFIX_NEW = 860, 16  # words that make 1,000 tokens; tokens of an answer to them
ADAPTERS = 64
FORM = {  # JSON of which no answer comes to an end within NEW tokens
    "type": "array",
    "minItems": 100,
    "items": {
        "type": "object",
        "properties": {"name": {"type": "string", "maxLength": 12}, "age": {"type": "integer"}},
        "required": ["name", "age"],
        "additionalProperties": False,
    },
}
seeds = count()


@cache
def vocabulary() -> list[str]:
    """Plain words."""
    pages = Path(__file__).parents[1].glob("docs/*/*.md")
    return sorted({w for p in pages for w in re.findall(r"\b[a-z]{4,9}\b", p.read_text())})


def words(number: int) -> str:
    """A text that there was not before."""
    return " ".join(random.Random(next(seeds)).choices(vocabulary(), k=number))


def ask(text: str, new: int = NEW, **more: Any) -> Body:
    """A request; `model` is still to come."""
    return {
        "messages": [{"role": "user", "content": text}],
        "max_tokens": new,
        "temperature": 0,
        "logit_bias": ENDS,
        "stream": True,
        "stream_options": {"include_usage": True},
    } | more


class Comparison:
    """Two servers that answer the same requests in turn, and what came of it."""

    def __init__(self, measure: Measure, ours: Server, theirs: Server) -> None:
        self.measure, self.ours, self.theirs = measure, ours, theirs
        self.rows: list[Row] = []

    def load(self, server: Server, bodies: Sequence[Sequence[Body]]) -> Load:
        """Let clients send these, and tell who computed meanwhile."""
        idle = self.theirs if server is self.ours else self.ours
        before = server.cpu(), idle.cpu()
        named = [[{"model": server.model} | body for body in mine] for mine in bodies]
        load = self.measure(server.url, KEY, named)
        cores = [(s.cpu() - b) / load.seconds for s, b in zip((server, idle), before, strict=True)]
        who = "ours" if server is self.ours else "theirs"
        print(
            f"  {who:6} {load.speed:7.1f} tokens/s, each {statistics.mean(load.speeds):6.1f}, "
            f"first after {load.first(0.5):.3f} s (p95 {load.first(0.95):.3f}), "
            f"{load.all[0].prompt_tokens} in ({load.all[-1].cached} cached); cores: server "
            f"{cores[0]:.2f}, idle one {cores[1]:.2f}, clients {load.cpu / load.seconds:.2f}",
            flush=True,
        )
        return load

    def turns(
        self, *makes: Callable[[], list[list[Body]]], rounds: int = 3
    ) -> list[tuple[list[Load], list[Load]]]:
        """Loads of both on the same requests of each kind, all kinds in each round, always new
        ones; the first round does not count.
        """
        kinds: list[tuple[list[Load], list[Load]]] = [([], []) for _ in makes]
        for turn in range(rounds + 1):
            for make, loads in zip(makes, kinds, strict=True):
                bodies = make()
                for server, found in zip((self.ours, self.theirs), loads, strict=True):
                    load = self.load(server, bodies)
                    if turn:
                        found.append(load)
        return kinds

    def row(
        self,
        work: str,
        unit: str,
        loads: tuple[list[Load], list[Load]],
        value: Callable[[Load], float],
        goal: float,
        peer: str = "llama-server Q4_0",
    ) -> None:
        """Add the medians of a value of loads; only speeds are better when they are more."""
        ours, theirs = (statistics.median(map(value, some)) for some in loads)
        less = unit != "tokens/s"
        self.rows.append(Row(work, unit, ours, theirs, peer, goal, less_is_better=less))
        print(self.rows[-1], flush=True)


def milliseconds(share: float) -> Callable[[Load], float]:
    return lambda load: 1000 * load.first(share)


def one_stream(both: Comparison) -> None:
    (loads,) = both.turns(lambda: [[ask(words(WORDS))]], rounds=5)
    both.row("one stream", "tokens/s", loads, lambda load: load.speeds[0], 2.0)


def sixteen_streams(both: Comparison) -> None:
    """All at once, and one request after another."""
    (at_once,) = both.turns(lambda: [[ask(words(WORDS))] for _ in range(SLOTS)])
    both.row("16 clients at once", "tokens/s", at_once, lambda load: load.speed, 2.5)
    both.row("16 clients at once, TTFT p50", "ms", at_once, milliseconds(0.5), 0.0)
    both.row("16 clients at once, TTFT p95", "ms", at_once, milliseconds(0.95), 3.0)
    (in_turn,) = both.turns(lambda: [[ask(words(WORDS)) for _ in range(4)] for _ in range(SLOTS)])
    both.row("16 clients, 4 in turn", "tokens/s", in_turn, lambda load: load.speed, 2.5)
    for share, goal in ((0.5, 0.0), (0.95, 3.0)):
        work = f"16 clients, the later 3, TTFT p{100 * share:.0f}"
        both.row(work, "ms", in_turn, lambda load, s=share: 1000 * load.later.first(s), goal)


def shared_prefix(both: Comparison) -> None:
    """32 requests, by 16 clients, with the same 1,000 tokens before their own question."""

    def requests(prefixes: Callable[[], str]) -> list[list[Body]]:
        mine = [ask(f"{prefixes()} {words(8)}", PREFIX_NEW) for _ in range(2 * SLOTS)]
        return [mine[i::SLOTS] for i in range(SLOTS)]

    def shared(prefix: str) -> list[list[Body]]:
        return requests(lambda: prefix)

    (cold,) = both.turns(lambda: shared(words(PREFIX)))
    both.row("1,000 tokens shared, new, TTFT p50", "ms", cold, milliseconds(0.5), 1.0)
    known = words(PREFIX)
    (warm,) = both.turns(lambda: shared(known))
    both.row("1,000 tokens shared, known, TTFT p50", "ms", warm, milliseconds(0.5), 1.0)
    apart = [both.load(both.ours, requests(lambda: words(PREFIX))) for _ in range(3)]
    pair = warm[0], apart
    both.row("1,000 tokens, known", "ms", pair, milliseconds(0.5), 10.0, "ours, nothing shared")


def json_output(both: Comparison) -> None:
    """The same prompts with and without a form; each side against itself, and against the other."""
    form = {"type": "json_schema", "json_schema": {"name": "people", "schema": FORM}}

    def requests(**more: Any) -> list[list[Body]]:
        return [[ask(f"List people as JSON. {words(40)}", **more)] for _ in range(SLOTS)]

    free, formed = both.turns(requests, lambda: requests(response_format=form))
    both.row("JSON by a schema, 16 clients", "tokens/s", formed, lambda load: load.speed, 1.0)
    for who, i, goal in (("ours", 0, 1.0), ("llama-server", 1, 0.0)):
        pair = formed[i], free[i]
        work, peer = f"JSON by a schema, {who}", f"{who}, free text"
        both.row(work, "tokens/s", pair, lambda load: load.speed, goal, peer)


def adapters(measure: Measure, home: str, folder: Path, kind: Kind) -> Row:
    """64 adapters, 16 at a time, against the base model in the same server."""
    paths = write_adapters(base(), folder, ADAPTERS, kind)
    options = [part for path in paths for part in ("--adapter", f"{path.name}={path}")]
    with hearth(home, *options, "--adapter-memory", "2GiB") as server:

        def speed(models: list[str]) -> float:
            bodies = [ask(words(WORDS)) | {"model": model} for model in models]
            return measure(server.url, KEY, [bodies[i::SLOTS] for i in range(SLOTS)]).speed

        names = [path.name for path in paths]
        speeds = alternate(lambda: speed(names), lambda: speed([server.model] * ADAPTERS), rounds=3)
    work = f"64 adapters {kind.name}, 16 clients"
    return Row(work, "tokens/s", *speeds, "ours, no adapter", 0.85)


def main() -> None:
    with TemporaryDirectory() as folder:
        home, file = str(Path(folder) / "home"), Path(folder) / "q4_0.gguf"
        prepare(home)
        _llama_server.quantise(base().path("model.gguf"), file)
        measure = side(clients)
        with ExitStack() as servers:
            ours = servers.enter_context(hearth(home))
            both = Comparison(measure, ours, servers.enter_context(llama_server(file)))
            for part in (one_stream, sixteen_streams, shared_prefix, json_output):
                print(part.__name__, flush=True)
                part(both)
        for kind in KINDS:
            both.rows.append(adapters(measure, home, Path(folder) / str(kind.rank), kind))
            print(both.rows[-1], flush=True)
    write("inference_http", both.rows)


if __name__ == "__main__":
    main()
