"""How near the decoding of one stream comes to what the memory gives.

A token needs every weight once, so that its bytes times tokens per second is how fast weights are
read; the limit is how fast `_bandwidth.cpp`, built for this processor, reads as many bytes with as
many threads and does nothing else. As many bytes, because a large cache keeps a part of them from
one token to the next, and should be as useful to both. On both sides the median pass counts; of
several rounds in turn, our median and the best of the limit.

Bytes are those of the matrices, the head among them; the embedding is the head here, and of it no
more is read than a row. Keys and values are left out, a fortieth of weights of four bits.
"""

from __future__ import annotations

import statistics
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from _results import Row
from _smollm import base

ROUNDS, PASSES = 5, 32
GOAL = 0.85  # of the limit


def build(folder: Path) -> Path:
    """The program that reads memory, in a folder."""
    program, source = folder / "bandwidth", Path(__file__).with_suffix(".cpp")
    options = ["-O3", "-march=native", "-std=c++20", "-pthread"]
    subprocess.run(["c++", *options, source, "-o", program], check=True)
    return program


def read(program: Path, size: int, threads: int) -> float:
    """Bytes per second, of so many bytes again and again."""
    command = [program, str(size), str(threads), str(PASSES)]
    return float(subprocess.run(command, check=True, capture_output=True).stdout)


def row(program: Path, work: str, size: int, threads: int, speed: Callable[[], float]) -> Row:
    """The bytes that a second's tokens need, of `size` each, against the limit; `speed` measures
    tokens per second.
    """
    speed(), read(program, size, threads)
    pairs = [(speed() * size, read(program, size, threads)) for _ in range(ROUNDS)]
    ours, limit = statistics.median(a for a, _ in pairs), max(b for _, b in pairs)
    return Row(work, "GB/s", ours / 1e9, limit / 1e9, "as many bytes, only read", GOAL)


def matrix_bytes(executor: Any, dtype: str) -> int:
    """Of all matrices that a token needs, as a `NativeExecutor` of this dtype has them."""
    from openhearth.inference.native import _engine
    from openhearth.inference.native.weights import MIXED, format_of, inputs_of, rows_of
    from openhearth.models import open_model

    config, weights = open_model(base())
    assert config.tied_head
    rows = rows_of(weights, "embed.weight")
    _, kept = MIXED.get(dtype, (dtype, dtype))
    head = _engine.Matrix(format_of([rows], kept), config.vocab_size, inputs_of(rows))
    return head.bytes + sum(product.linear.matrix.bytes for product in executor._products)
