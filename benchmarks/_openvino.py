"""OpenVINO GenAI's side of `inference_peers.py`, its continuous batching, in its own environment.

It answers as `_llama_cpp.py` does. A step ends with the likeliest tokens.
"""

from __future__ import annotations

import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import openvino as ov
import openvino_genai as genai
from _answers import serve


class Model:
    """An open GGUF file."""

    def __init__(self, path: str, threads: int, streams: int) -> None:
        self.path, self.properties = path, {"INFERENCE_NUM_THREADS": threads}
        settings = genai.SchedulerConfig()
        settings.enable_prefix_caching = False
        settings.cache_size = 1  # GiB
        settings.max_num_seqs, settings.max_num_batched_tokens = streams, 2048
        self.pipeline = genai.ContinuousBatchingPipeline(
            path, genai.Tokenizer(path), settings, "CPU", **self.properties
        )

    def ask(self, prompts: list[list[int]], new: int) -> list[float]:
        """Seconds of each step until every prompt has so many new tokens."""
        wanted = genai.GenerationConfig(max_new_tokens=new, ignore_eos=True)
        handles = [  # a request lives as long as its handle
            self.pipeline.add_request(i, ov.Tensor(np.array([prompt])), wanted)
            for i, prompt in enumerate(prompts)
        ]
        times = []
        while self.pipeline.has_non_finished_requests():
            start = time.perf_counter()
            self.pipeline.step()
            times.append(time.perf_counter() - start)
        assert all(len(handle.read_all()[0].generated_ids) == new for handle in handles)
        return times

    def decode(self, streams: int, context: int, steps: int) -> list[float]:
        return self.ask([[5] * context] * streams, steps + 1)[-steps:]

    def prefill(self, tokens: list[int]) -> float:
        return sum(self.ask([tokens], 1))

    def logits(self, tokens: list[int], out: str) -> None:
        """By the model that it makes of the file, since the pipeline keeps its logits."""
        with TemporaryDirectory() as folder:
            file = Path(folder) / "model.gguf"
            file.symlink_to(self.path)
            genai.LLMPipeline(str(file), "CPU", enable_save_ov_model=True)
            model = ov.compile_model(Path(folder) / "openvino_model.xml", "CPU", self.properties)
            count = len(tokens)
            found = model(
                {
                    "input_ids": np.array([tokens]),
                    "attention_mask": np.ones((1, count), np.int64),
                    "position_ids": np.arange(count)[None],
                    "beam_idx": np.zeros(1, np.int32),
                }
            )
            np.save(out, found["logits"][0])


serve({"open": Model})
