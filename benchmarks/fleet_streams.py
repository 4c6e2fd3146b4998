"""What the way through the fleet costs: 16 streams through broker and node, or from an engine here.

One side is a gateway's process, which reads the streams in its event loop; the broker and the node,
whose engine computes, are processes of their own, as in `hearth up`. The other side is the same
engine in the process that reads. Each reader is a task of its own, and the prompts are always new.
A gateway could also leave the bus to a thread of its own; that is told for comparison, without a
goal. `--short` is for a look.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import subprocess
import sys
import time
from functools import partial
from itertools import count
from tempfile import TemporaryDirectory

from _results import Row, alternate, write
from _sides import Measure, side
from _smollm import NAME, base

from openhearth.fleet import Broker, Bus, Fleet, LoopThread
from openhearth.fleet.node import BUS
from openhearth.inference import Engine, Request, Sampling, Stream
from openhearth.processes import attached
from openhearth.store import Store

STREAMS = 16
PROMPT = 100  # tokens
ENDS = {0: -100, 2: -100}  # the model's tokens that end an answer
seeds = count()


async def speed(who: Engine | Fleet, new: int) -> float:
    """Tokens per second of streams that begin together and have `new` tokens each."""
    sampling = Sampling(max_tokens=new, temperature=0, logit_bias=ENDS)
    drawn = random.Random(next(seeds))
    prompts = [drawn.choices(range(1000, 40_000), k=PROMPT) for _ in range(STREAMS)]
    began = time.perf_counter()
    streams = [who.submit(Request(NAME, prompt, sampling)) for prompt in prompts]

    async def read(stream: Stream) -> int:
        return sum([len(delta.tokens) async for delta in stream])

    counted = await asyncio.gather(*map(read, streams))
    assert counted == [new] * STREAMS
    return STREAMS * new / (time.perf_counter() - began)


def alone(home: str) -> Measure:
    """An engine in the process that reads."""
    engine = Engine.open(Store(home), [NAME])
    return lambda new: asyncio.run(speed(engine, new))


def together(home: str, apart: bool) -> Measure:
    """A gateway; `apart`, if its bus has a thread to itself."""
    broker, thread = Broker(), LoopThread()
    broker.start()
    thread.__enter__()
    node = attached([sys.executable, "-m", "openhearth.fleet.node", "--home", home])
    subprocess.Popen(node, env=os.environ | {BUS: broker.url})

    async def join() -> Fleet:
        fleet = await Fleet.join(await Bus.connect(broker.url, "gateway"), Store(home))
        while not fleet.nodes():
            await asyncio.sleep(0.1)
        return fleet

    fleet = thread.run(join())
    list(fleet.submit(Request(NAME, [1], Sampling(max_tokens=1))))  # loads the model
    run = asyncio.run if apart else thread.run
    return lambda new: run(speed(fleet, new))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="few tokens and rounds")
    short = parser.parse_args().short
    new, rounds = (24, 3) if short else (128, 7)
    with TemporaryDirectory() as home:
        os.environ["OPENHEARTH_HOME"] = home
        base()
        engine = side(partial(alone, home))
        rows = []
        for apart, work, goal in (
            (False, f"{STREAMS} streams", 0.9),
            (True, "with a thread for the bus", 0.0),
        ):
            fleet = side(partial(together, home, apart))
            ours, peer = alternate(partial(fleet, new), partial(engine, new), rounds)
            rows.append(Row(work, "tokens/s", ours, peer, "the engine alone", goal))
        write("fleet_streams", rows)


if __name__ == "__main__":
    main()
