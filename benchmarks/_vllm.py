"""vLLM's side of `inference_peers.py`, its engine in one process, in an environment of its own.

It answers as `_llama_cpp.py` does, with `["open", DIRECTORY, THREADS, STREAMS, DTYPE]`. A step
ends with the likeliest tokens.
"""

from __future__ import annotations

import os
import time
from typing import Any

os.environ |= {
    "VLLM_CPU_KVCACHE_SPACE": "1",  # GiB
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    "VLLM_LOGGING_LEVEL": "ERROR",
    "VLLM_NO_USAGE_STATS": "1",
}

import numpy as np
import torch
from _answers import serve
from vllm import LLM, SamplingParams


class Model:
    """An open directory."""

    def __init__(self, path: str, threads: int, streams: int, dtype: str) -> None:
        torch.set_num_threads(threads)
        self.llm = LLM(
            path,
            dtype=dtype,
            skip_tokenizer_init=True,
            enable_prefix_caching=False,
            max_num_seqs=streams,
            max_num_batched_tokens=2048,
            max_model_len=2048,
        )
        self.asked = 0

    def ask(self, prompts: list[list[int]], new: int, **wanted: Any) -> list[float]:
        """Seconds of each step until every prompt has so many new tokens."""
        engine = self.llm.llm_engine
        settings = SamplingParams(
            temperature=0, max_tokens=new, ignore_eos=True, detokenize=False, **wanted
        )
        for prompt in prompts:
            self.asked += 1
            engine.add_request(str(self.asked), {"prompt_token_ids": prompt}, settings)
        times = []
        while engine.has_unfinished_requests():
            start = time.perf_counter()
            engine.step()
            times.append(time.perf_counter() - start)
        return times

    def decode(self, streams: int, context: int, steps: int) -> list[float]:
        return self.ask([[5] * context] * streams, steps + 1)[-steps:]

    def prefill(self, tokens: list[int]) -> float:
        return sum(self.ask([tokens], 1))

    def logits(self, tokens: list[int], out: str) -> None:
        """Those that it computes for a prompt's log-probabilities, and for the next token."""
        kept: list[torch.Tensor] = []

        def keep(model: torch.nn.Module) -> None:
            compute = model.compute_logits

            def computed(*arguments: Any) -> torch.Tensor:
                kept.append(compute(*arguments))
                return kept[-1]

            model.compute_logits = computed

        self.llm.apply_model(keep)
        self.ask([tokens], 1, prompt_logprobs=0)
        self.llm.apply_model(lambda model: delattr(model, "compute_logits"))
        rows = sorted(kept, key=len)  # the next token's is one row
        np.save(out, torch.cat([rows[1], rows[0]]).float().numpy())


serve({"open": Model})
