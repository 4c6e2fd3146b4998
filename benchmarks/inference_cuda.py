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
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from _results import Row, alternate, seconds, write
from transformers import DynamicCache, LlamaConfig, LlamaForCausalLM

from openhearth.inference.executor import PAGE, Work
from openhearth.inference.torch_executor import TorchExecutor
from openhearth.models import Attention, Block, Model, ModelConfig, SwiGLU

STREAMS = (1, 16, 64, 256)
CONTEXT, STEPS, PROMPT, ROUNDS = 128, 64, 512, 3
PAGES = -(-max(CONTEXT + STEPS + 1, PROMPT) // PAGE)  # of a sequence
GOAL = 1.0


@dataclass(frozen=True)
class Shape:
    """A Llama's sizes; its heads have 64 numbers."""

    width: int
    layers: int
    heads: int
    kv_heads: int
    hidden: int
    words: int


SHAPES = {
    "135M": Shape(width=576, layers=30, heads=9, kv_heads=3, hidden=1536, words=49152),
    "1B": Shape(width=2048, layers=16, heads=32, kv_heads=8, hidden=8192, words=128256),
}


class Ours:
    """An executor and its sequences."""

    def __init__(self, shape: Shape, *, captures: bool) -> None:
        mixer = Attention(heads=shape.heads, kv_heads=shape.kv_heads, head_dim=64, rope_theta=1e5)
        config = ModelConfig(
            vocab_size=shape.words,
            width=shape.width,
            context_length=PAGES * PAGE,
            tied_head=True,
            blocks=(Block(mixer=mixer, channel=SwiGLU(hidden=shape.hidden)),) * shape.layers,
        )
        with torch.device("cuda"):
            model = Model(config).to(torch.bfloat16).requires_grad_(False).eval()
        for parameter in model.parameters():
            parameter.normal_().mul_(0.02)
        self.executor = TorchExecutor(model, max(STREAMS) * PAGES, captures=captures)

    def decode(self, streams: int) -> float:
        """Tokens per second of all sequences."""
        pages = [range(i * PAGES, (i + 1) * PAGES) for i in range(streams)]
        for own in pages:
            self.executor.step([Work([5] * CONTEXT, 0, own)])

        def step(place: int) -> None:
            self.executor.step([Work([5], place, own) for own in pages])

        times = [seconds(partial(step, CONTEXT + i)) for i in range(STEPS)]
        return streams / statistics.median(times)

    def prefill(self) -> float:
        """Tokens per second of a prompt."""
        work = Work([5] * PROMPT, 0, range(PAGES))
        return PROMPT / seconds(lambda: self.executor.step([work]))


class Theirs:
    """A model of `transformers`."""

    def __init__(self, shape: Shape) -> None:
        config = LlamaConfig(
            vocab_size=shape.words,
            hidden_size=shape.width,
            intermediate_size=shape.hidden,
            num_hidden_layers=shape.layers,
            num_attention_heads=shape.heads,
            num_key_value_heads=shape.kv_heads,
            head_dim=64,
            tie_word_embeddings=True,
            attn_implementation="sdpa",
        )
        with torch.device("cuda"):
            self.model = LlamaForCausalLM(config).to(torch.bfloat16).eval()

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
        return Row(f"{name}, {work}", "tokens/s", *pair, peer_name, GOAL)

    found = [row(f"prompt of {PROMPT}", graphs.prefill, theirs.prefill, "transformers")]
    for n in STREAMS:
        ours = partial(graphs.decode, n)
        work = f"decode, {n} streams"
        found.append(row(work, ours, partial(eager.decode, n), "without graphs"))
        found.append(row(work, ours, partial(theirs.decode, n), "transformers"))
    return found


def main() -> None:
    if not torch.cuda.is_available():
        print("This benchmark needs an NVIDIA GPU and a torch built for it, and finds none.")
        return
    print(torch.cuda.get_device_name())
    write("inference_cuda", [row for name, shape in SHAPES.items() for row in rows(name, shape)])


if __name__ == "__main__":
    main()
