"""What a function does to a GPU, captured once and from then on launched as a whole."""

from __future__ import annotations

from collections.abc import Callable

import torch

Compute = Callable[[], torch.Tensor]
Capture = Callable[[Compute], Compute]


def capture_on(device: torch.device) -> Capture:
    """What makes, of a function whose operations, shapes and tensors are always the same, one that
    computes it again, on a GPU by a CUDA graph and into the same tensor each time.
    """
    return CudaGraphs() if device.type == "cuda" else lambda compute: compute


class CudaGraphs:
    """Graphs that share the memory of what lies between their inputs and results, so that they
    must run one after the other.
    """

    def __init__(self) -> None:
        self._memory = torch.cuda.graph_pool_handle()
        self._stream = torch.cuda.Stream()  # one, because libraries keep memory for each

    def __call__(self, compute: Compute) -> Compute:
        self._stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self._stream):
            compute()  # so that libraries set themselves up, and caches fill, before
        torch.cuda.current_stream().wait_stream(self._stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(
            graph,
            pool=self._memory,
            stream=self._stream,
            capture_error_mode="thread_local",  # other threads may go on using the GPU
        ):
            result = compute()

        def replay() -> torch.Tensor:
            graph.replay()
            return result

        return replay
