"""llama.cpp's side of `inference_decode.py`, through its C interface, in an environment of its own.

A line of JSON, `[work, …]`, is answered by a line:
  ["quantise", FILE, OUT, BODY, HEAD]  a file with other numbers of bits; types as ggml numbers them
  ["open", FILE, THREADS, STREAMS]     a model, with flash attention and memory for so many streams
  ["decode", STREAMS, CONTEXT, STEPS]  [seconds of each step] in which each stream gets a token
  ["prefill", TOKENS]                  seconds until the logits after a prompt are there
  ["logits", TOKENS, OUT]              a `.npy` of the logits after each token
"""

from __future__ import annotations

import ctypes
import time
from typing import Any

import llama_cpp as llama
import numpy as np
from _answers import serve

PREFILL = 512  # tokens computed together, as is its default

quiet = llama.llama_log_callback(lambda *_: None)
llama.llama_log_set(quiet, ctypes.c_void_p())
llama.llama_backend_init()


def quantise(source: str, target: str, body: int, head: int) -> int:
    settings = llama.llama_model_quantize_default_params()
    settings.ftype = {2: llama.LLAMA_FTYPE_MOSTLY_Q4_0, 8: llama.LLAMA_FTYPE_MOSTLY_Q8_0}[body]
    settings.allow_requantize = True
    settings.token_embedding_type = settings.output_tensor_type = head
    return llama.llama_model_quantize(source.encode(), target.encode(), ctypes.byref(settings))


class Model:
    """An open file."""

    def __init__(self, path: str, threads: int, streams: int) -> None:
        self.model = llama.llama_model_load_from_file(
            path.encode(), llama.llama_model_default_params()
        )
        settings = llama.llama_context_default_params()
        settings.n_ctx, settings.n_seq_max = 512 * (streams + 1), streams
        settings.n_batch, settings.n_ubatch = 2048, PREFILL
        settings.n_threads = settings.n_threads_batch = threads
        settings.flash_attn_type = 1
        settings.kv_unified = True
        self.context = llama.llama_init_from_model(self.model, settings)
        self.words = llama.llama_vocab_n_tokens(llama.llama_model_get_vocab(self.model))

    def clear(self) -> None:
        llama.llama_memory_clear(llama.llama_get_memory(self.context), True)

    def step(self, tokens: list[int], places: list[int], streams: list[int], wanted: Any) -> None:
        """Compute tokens at places of streams; `wanted(i)` says of which the logits."""
        batch = llama.llama_batch_init(len(tokens), 0, 1)
        batch.n_tokens = len(tokens)
        for i, (token, place, stream) in enumerate(zip(tokens, places, streams, strict=True)):
            batch.token[i], batch.pos[i] = token, place
            batch.n_seq_id[i], batch.seq_id[i][0] = 1, stream
            batch.logits[i] = wanted(i)
        if llama.llama_decode(self.context, batch):
            raise SystemExit("llama.cpp could not decode.")
        llama.llama_batch_free(batch)

    def decode(self, streams: int, context: int, steps: int) -> list[float]:
        self.clear()
        for stream in range(streams):
            self.step([5] * context, list(range(context)), [stream] * context, lambda _: False)
        times = []
        for step in range(steps):
            start = time.perf_counter()
            self.step(
                [5] * streams, [context + step] * streams, list(range(streams)), lambda _: True
            )
            self.row(streams - 1)  # waits for the result
            times.append(time.perf_counter() - start)
        return times

    def prefill(self, tokens: list[int]) -> float:
        self.clear()
        last = len(tokens) - 1
        start = time.perf_counter()
        self.step(tokens, list(range(len(tokens))), [0] * len(tokens), lambda i: i == last)
        self.row(last)
        return time.perf_counter() - start

    def row(self, i: int) -> np.ndarray:
        found = llama.llama_get_logits_ith(self.context, i)
        return np.ctypeslib.as_array(found, (self.words,))

    def logits(self, tokens: list[int], out: str) -> int:
        self.clear()
        self.step(tokens, list(range(len(tokens))), [0] * len(tokens), lambda _: True)
        np.save(out, np.stack([self.row(i) for i in range(len(tokens))]))
        return 0


serve({"quantise": quantise, "open": Model})
