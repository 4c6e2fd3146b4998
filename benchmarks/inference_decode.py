"""The engine's arithmetic against llama.cpp's on the same weights: decoding, prompts, and quality.

The peer is built for this processor from the source of `llama-cpp-python` (ten minutes, once), and
runs with flash attention and its best layouts: all weights in Q4_0, the same with a head in Q8_0,
and Q8_0; ours has as many bits. A decode step takes all streams one token further, a prompt has 512
tokens. One stream is also held against what the memory gives, see `_bandwidth.py`. Quality is the
mean divergence (KL) of the next token's distribution from that of the weights in the file, computed
in fp32, and perplexity, on the same texts; ours should be no worse than the peer's.

With `--isa avx2` neither side uses anything newer: ours is told so, the peer is built so.
"""

from __future__ import annotations

import argparse
import os
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import _bandwidth
import _quality
from _decoding import THREADS, ours, rows, speed
from _peers import peer_python, peer_side, pinned
from _quality import texts
from _results import Row, write
from _sides import side
from _smollm import base, prepare

STREAMS = (1, 4, 8, 16, 32)
Q4_0, Q8_0 = 2, 8
PEERS = {  # the bits of the body and of the head, and our dtype with as many
    "Q4_0": (Q4_0, Q4_0, "int4"),
    "Q4_0, head Q8_0": (Q4_0, Q8_0, "int4-head8"),
    "Q8_0": (Q8_0, Q8_0, "int8"),
}
AVX2 = ";".join(
    ["-DGGML_NATIVE=OFF", *(f"-DGGML_{isa}=ON" for isa in ("AVX2", "FMA", "F16C", "BMI2"))]
)


def llama_cpp(isa: str | None = None) -> Path:
    """The Python that has llama.cpp for this processor, or for any that has AVX2.

    A wheel in pip's cache could be of the other kind.
    """
    if isa is None:
        return peer_python("llama_cpp", pinned("llama-cpp-python"))
    build = ("--no-cache-dir", f"--config-settings=cmake.args={AVX2}")
    return peer_python("llama_cpp_avx2", *build, pinned("llama-cpp-python"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--isa", choices=["avx2"])
    isa = parser.parse_args().isa
    python = llama_cpp(isa)
    if isa:
        os.environ["OPENHEARTH_ISA"] = isa  # our side inherits it
    found: list[Row] = []

    def add(row: Row) -> None:
        print(row, flush=True)
        found.append(row)

    with TemporaryDirectory() as folder:
        home = str(Path(folder) / "home")
        prepare(home)
        tokens, file = texts()[0], str(base().path("model.gguf"))
        memory = _bandwidth.build(Path(folder))
        us = side(partial(ours, home, greedy=False))
        them = peer_side(python, Path(__file__).with_name("_llama_cpp.py"))
        for name, (body, head, dtype) in PEERS.items():
            made, peer = str(Path(folder) / f"{body}-{head}.gguf"), f"llama.cpp {name}"
            assert them("quantise", file, made, body, head) == 0
            them("open", made, THREADS, max(STREAMS))
            mine = _quality.measure(f"ours, {dtype}", us, dtype, ours=us)
            theirs = _quality.measure(peer, them, ours=us)
            for row in _quality.rows(dtype, mine, peer, theirs):
                add(row)
            for row in rows(dtype, us, peer, them, STREAMS, tokens):
                add(row)
            one = partial(speed, us, dtype, streams=1)
            add(
                _bandwidth.row(
                    memory, f"weights read, 1 stream, {dtype}", us("bytes", dtype), THREADS, one
                )
            )
    write("inference_decode" + (f"_{isa}" if isa else ""), found)


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", str(THREADS))
    main()
