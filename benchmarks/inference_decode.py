"""The engine's arithmetic against llama.cpp's on the same weights: decoding, prompts, and quality.

The peer is built for this processor from the source of `llama-cpp-python` (ten minutes, once), and
runs with flash attention and its best layouts: all weights in Q4_0, the same with a head in Q8_0,
and Q8_0; ours has as many bits. A decode step takes all streams one token further, a prompt has 512
tokens. Quality is the mean divergence (KL) of the next token's distribution from that of the
weights in the file, computed in fp32, and perplexity, on the same text.
"""

from __future__ import annotations

import os
import statistics
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from _peers import peer_python, peer_side
from _results import Row, alternate, seconds, write
from _sides import side
from _smollm import base, prepare

THREADS = 2
CONTEXT, STEPS = 64, 32
STREAMS = (1, 4, 8, 16, 32)
PROMPT, MEASURED = 512, 600  # tokens
Q4_0, Q8_0 = 2, 8
PEERS = {  # the bits of the body and of the head, and our dtype with as many
    "Q4_0": (Q4_0, Q4_0, "int4"),
    "Q4_0, head Q8_0": (Q4_0, Q8_0, "int4"),
    "Q8_0": (Q8_0, Q8_0, "int8"),
}


def ours(home: str) -> Callable[..., Any]:
    """Answers as `_llama_cpp.py` does."""
    from openhearth.inference.executor import PAGE, Work
    from openhearth.inference.native.executor import NativeExecutor

    prepare(home)
    pages = (CONTEXT + STEPS) // PAGE + 1
    found: dict[str, NativeExecutor] = {}

    def executor(dtype: str) -> NativeExecutor:
        if dtype not in found:
            memory = 2**29
            found[dtype] = NativeExecutor.load(
                base(), {}, memory=memory, dtype=dtype, threads=THREADS
            )
        return found[dtype]

    def answer(work: str, dtype: str, *arguments: Any) -> Any:
        engine = executor(dtype)
        if work == "logits":
            tokens, out = arguments
            np.save(out, engine.step([Work(tokens, 0, range(32), None, len(tokens))]))
            return 0
        if work == "prefill":
            (tokens,) = arguments
            return seconds(lambda: engine.step([Work(tokens, 0, range(32))]))
        streams, context, steps = arguments
        mine = [range(i * pages, (i + 1) * pages) for i in range(streams)]
        for table in mine:
            engine.step([Work([5] * context, 0, table)])
        works = [[Work([5], context + i, table) for table in mine] for i in range(steps)]
        return [seconds(partial(engine.step, some)) for some in works]

    return answer


def divergence(logits: np.ndarray, meant: np.ndarray) -> float:
    """The mean KL in nats of rows of logits from those that are meant."""
    p, q = log_softmax(meant), log_softmax(logits)
    return float((np.exp(p) * (p - q)).sum(-1).mean())


def perplexity(logits: np.ndarray, tokens: list[int]) -> float:
    found = log_softmax(logits)[np.arange(len(tokens) - 1), tokens[1:]]
    return float(np.exp(-found.mean()))


def log_softmax(logits: np.ndarray) -> np.ndarray:
    logits = logits.astype(np.float64)
    logits = logits - logits.max(-1, keepdims=True)
    return logits - np.log(np.exp(logits).sum(-1, keepdims=True))


def text() -> list[int]:
    """Prose and code, as tokens."""
    from openhearth.data import Tokenizer

    root = Path(__file__).parents[1]
    pages = [root / "README.md", root / "docs" / "explanation" / "architecture.md"]
    return Tokenizer.load(base()).encode("\n".join(p.read_text() for p in pages))[:MEASURED]


def main() -> None:
    python = peer_python("llama_cpp", "llama-cpp-python==0.3.36")
    rows = []
    with TemporaryDirectory() as folder:
        home = str(Path(folder) / "home")
        prepare(home)
        tokens, file = text(), str(base().path("model.gguf"))
        us = side(partial(ours, home))
        them = peer_side(python, Path(__file__).with_name("_llama_cpp.py"))
        saved = str(Path(folder) / "logits.npy")

        def logits(who: Callable[..., Any], *first: Any) -> np.ndarray:
            who(*first, tokens, saved)
            return np.load(saved)

        meant = logits(us, "logits", "float32")
        for name, (body, head, dtype) in PEERS.items():
            made = str(Path(folder) / f"{body}-{head}.gguf")
            assert them("quantise", file, made, body, head) == 0
            them("open", made, THREADS, max(STREAMS))
            mine, theirs = logits(us, "logits", dtype), logits(them, "logits")
            for who, found in (("ours", mine), ("theirs", theirs)):
                print(
                    f"{name}, {who}: KL {divergence(found, meant):.4f}, "
                    f"perplexity {perplexity(found, tokens):.2f}",
                    flush=True,
                )
            for streams in STREAMS:
                speeds = alternate(
                    lambda n=streams, d=dtype: (
                        n / statistics.median(us("decode", d, n, CONTEXT, STEPS))
                    ),
                    lambda n=streams: n / statistics.median(them("decode", n, CONTEXT, STEPS)),
                    rounds=3,
                )
                goal = {1: 1.3, 16: 2.5}.get(streams, 1.0)
                work = f"decode, {streams} streams, {dtype}"
                rows.append(Row(work, "tokens/s", *speeds, f"llama.cpp {name}", goal))
                print(rows[-1], flush=True)
            speeds = alternate(
                lambda d=dtype: PROMPT / us("prefill", d, tokens[:PROMPT]),
                lambda: PROMPT / them("prefill", tokens[:PROMPT]),
                rounds=5,
            )
            rows.append(
                Row(f"prompt of {PROMPT}, {dtype}", "tokens/s", *speeds, f"llama.cpp {name}", 1.5)
            )
            print(rows[-1], flush=True)
    write("inference_decode", rows)


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", str(THREADS))
    main()
