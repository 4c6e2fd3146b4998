"""The side of `transformers` in `inference_peers.py`: a model's forward pass over its own cache.

It answers as `_llama_cpp.py` does, with `["open", DIRECTORY, THREADS, STREAMS, DTYPE]`.
"""

from __future__ import annotations

import time

import numpy as np
import torch
from _answers import serve
from transformers import AutoModelForCausalLM, DynamicCache


class Model:
    """An open directory."""

    def __init__(self, path: str, threads: int, streams: int, dtype: str) -> None:
        torch.set_num_threads(threads)
        self.model = AutoModelForCausalLM.from_pretrained(
            path, dtype=getattr(torch, dtype), attn_implementation="sdpa"
        ).eval()

    @torch.inference_mode()
    def step(self, tokens: torch.Tensor, cache: DynamicCache, wanted: int = 1) -> torch.Tensor:
        """Logits [streams, wanted, words] after the last of tokens [streams, n]."""
        return self.model(tokens, past_key_values=cache, logits_to_keep=wanted).logits

    def cache(self) -> DynamicCache:
        return DynamicCache(config=self.model.config)

    def decode(self, streams: int, context: int, steps: int) -> list[float]:
        cache = self.cache()
        tokens = self.step(torch.full((streams, context), 5), cache).argmax(-1)
        times = []
        for _ in range(steps):
            start = time.perf_counter()
            tokens = self.step(tokens, cache).argmax(-1)
            times.append(time.perf_counter() - start)
        return times

    def prefill(self, tokens: list[int]) -> float:
        start = time.perf_counter()
        self.step(torch.tensor([tokens]), self.cache())
        return time.perf_counter() - start

    def logits(self, tokens: list[int], out: str) -> None:
        found = self.step(torch.tensor([tokens]), self.cache(), wanted=len(tokens))
        np.save(out, found[0].float().numpy())


serve({"open": Model})
