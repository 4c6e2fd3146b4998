"""The torch executor on a GPU: steps captured as CUDA graphs, steps launched kernel by kernel, and
`transformers`.

SmolLM2-135M's shape and that of Llama 3.2 1B, in bfloat16, with random weights, as they change
nothing about speed. Ours is the executor alone, whose step ends with fp32 logits in the processor's
memory. The peer is its forward pass over its own cache, as `generate` calls it, whose logits end
where they are, in a greedy choice.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from _llamas import Shape, on_gpu
from _results import Row, alternate, seconds
from transformers import DynamicCache, LlamaForCausalLM

from openhearth.inference.executor import PAGE, Work
from openhearth.inference.torch_executor import TorchExecutor
from openhearth.models import Model

STREAMS = (1, 16, 64, 256)
CONTEXT, STEPS, PROMPT, ROUNDS = 128, 32, 512, 2
PAGES = -(-max(CONTEXT + STEPS + 1, PROMPT) // PAGE)  # of a sequence
GOAL = 1.0


class Ours:
    """An executor and its sequences."""

    def __init__(self, shape: Shape, *, captures: bool) -> None:
        config = shape.ours(PAGES * PAGE)
        with torch.device("cuda"):
            model = Model(config).requires_grad_(False).to("cuda").eval()
        for parameter in model.parameters():
            parameter.data = torch.randn_like(parameter, dtype=torch.bfloat16) * 0.02
        self.executor = TorchExecutor(model, max(STREAMS) * PAGES, captures=captures)
        self.pages = [range(i * PAGES, (i + 1) * PAGES) for i in range(max(STREAMS))]
        self.executor.step([Work([5] * CONTEXT, 0, own) for own in self.pages])

    def decode(self, streams: int) -> float:
        """Tokens per second of all sequences, each from its prompt on."""

        def step(place: int) -> None:
            self.executor.step([Work([5], place, own) for own in self.pages[:streams]])

        times = [seconds(partial(step, CONTEXT + i)) for i in range(STEPS)]
        return streams / statistics.median(times)

    def prefill(self) -> float:
        """Tokens per second of a prompt."""
        work = Work([5] * PROMPT, 0, self.pages[0])
        return PROMPT / seconds(lambda: self.executor.step([work]))


class Theirs:
    """A model of `transformers`."""

    def __init__(self, shape: Shape) -> None:
        with torch.device("cuda"):
            self.model = LlamaForCausalLM(shape.theirs()).to(torch.bfloat16).eval()

    @torch.inference_mode()
    def step(self, tokens: torch.Tensor, cache: Any) -> torch.Tensor:
        logits = self.model(tokens, past_key_values=cache, logits_to_keep=1).logits
        chosen = logits.argmax(-1)
        torch.cuda.synchronize()
        return chosen

    def decode(self, streams: int) -> float:
        cache = DynamicCache(config=self.model.config)
        tokens = self.step(torch.full((streams, CONTEXT), 5, device="cuda"), cache)
        times = [seconds(lambda: self.step(tokens, cache)) for _ in range(STEPS)]
        return streams / statistics.median(times)

    def prefill(self) -> float:
        tokens = torch.full((1, PROMPT), 5, device="cuda")
        return PROMPT / seconds(lambda: self.step(tokens, DynamicCache(config=self.model.config)))


def rows(name: str, shape: Shape) -> list[Row]:
    graphs, eager = Ours(shape, captures=True), Ours(shape, captures=False)
    theirs = Theirs(shape)

    def row(work: str, ours: Callable, peer: Callable, peer_name: str) -> Row:
        pair = alternate(ours, peer, ROUNDS)
        found = Row(f"{name}, {work}", "tokens/s", *pair, peer_name, GOAL)
        print(found, flush=True)
        return found

    found = [row(f"prompt of {PROMPT}", graphs.prefill, theirs.prefill, "transformers")]
    for n in STREAMS:
        ours = partial(graphs.decode, n)
        work = f"decode, {n} streams"
        found.append(row(work, ours, partial(eager.decode, n), "without graphs"))
        found.append(row(work, ours, partial(theirs.decode, n), "transformers"))
    return found


def main() -> None:
    on_gpu("inference_cuda", rows)


if __name__ == "__main__":
    main()
