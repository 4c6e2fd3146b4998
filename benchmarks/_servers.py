"""Our server and llama.cpp's as users start them, on free ports of this machine."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import _llama_server
from _running import Server, running
from _smollm import NAME

THREADS = 2
KEY = "a-key-for-benchmarks-only"
SLOTS, CONTEXT = 16, 32_768  # of llama-server: answers at once, and tokens of all together


@contextmanager
def hearth(home: str, *options: str) -> Iterator[Server]:
    """`hearth serve` with four-bit weights over the store at `home`."""
    command = [sys.executable, "-m", "openhearth.cli", "serve", NAME, "--dtype", "int4", *options]
    environment = os.environ | {"OPENHEARTH_HOME": home, "OPENHEARTH_API_KEY": KEY}
    with running([*command, "--threads", str(THREADS)], NAME, environment) as server:
        yield server


@contextmanager
def llama_server(file: Path, *options: str) -> Iterator[Server]:
    """`llama-server` with flash attention and continuous batching."""
    sizes = {"-t": THREADS, "-np": SLOTS, "-c": CONTEXT, "-b": 2048, "-ub": 512}
    numbers = [str(part) for pair in sizes.items() for part in pair]
    command = [str(_llama_server.build() / "llama-server"), "-m", str(file), "-fa", "on", *numbers]
    with running([*command, "--no-ui", "--log-disable", *options], NAME, os.environ) as server:
        yield server
