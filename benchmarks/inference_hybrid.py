"""Long contexts: a model whose state stays as it is against a transformer of equal size.

Eight sequences, each of 32,768 tokens, are decoded by a hybrid, three layers of Gated DeltaNet for
each of attention to the last 512 tokens, and by a transformer of SmolLM2-135M's shape. Weights are
random, as they change nothing about speed. Pages are filled by short texts, and then taken for a
long one: what stands in them does not matter either, but that it has been written does. All eight
read the same pages, which can only help the transformer.
"""

from __future__ import annotations

import statistics
from functools import partial

import numpy as np
import torch
from _results import Row, alternate, seconds, write

from openhearth.inference.executor import PAGE, Room, Work
from openhearth.inference.native.executor import NativeExecutor
from openhearth.models import Attention, Block, GatedDelta, Model, ModelConfig, SwiGLU
from openhearth.models.weights import Weights

CONTEXT, STREAMS, STEPS, THREADS = 32768, 8, 16, 2
WINDOW = 512
GOAL = 5.0
DTYPE = "int8"


def model(*blocks: Block) -> ModelConfig:
    return ModelConfig(
        vocab_size=49152,
        width=576,
        context_length=CONTEXT + STEPS,
        tied_head=True,
        blocks=blocks,
    )


GLOBAL = Attention(heads=9, kv_heads=3, head_dim=64, rope_theta=1e5)
LOCAL = GLOBAL.model_copy(update={"window": WINDOW})
DELTA = GatedDelta(heads=9, key_heads=9, key_dim=64, value_dim=64)
TRANSFORMER = model(*[Block(mixer=GLOBAL, channel=SwiGLU(hidden=1536))] * 30)
HYBRID = model(
    *[Block(mixer=mixer, channel=SwiGLU(hidden=1344)) for mixer in [DELTA, DELTA, DELTA, LOCAL]] * 7
)


class Random(Weights):
    """Weights that are drawn when they are asked for."""

    def __init__(self, config: ModelConfig) -> None:
        with torch.device("meta"):
            self.shapes = {n: tuple(p.shape) for n, p in Model(config).named_parameters()}
        self.parameters = sum(int(np.prod(shape)) for shape in self.shapes.values())

    def values(self, name: str) -> np.ndarray:
        values = np.random.default_rng(0).standard_normal(self.shapes[name], np.float32)
        return 1 + values / 10 if "norm" in name else values / 25


class Side:
    """A model with STREAMS sequences, each of CONTEXT tokens."""

    def __init__(self, config: ModelConfig) -> None:
        weights = Random(config)
        self.parameters = weights.parameters
        pages = -(-(CONTEXT + STEPS) // PAGE)
        room = Room(pages, STREAMS)
        self.engine = NativeExecutor(config, weights, room=room, dtype=DTYPE, threads=THREADS)
        self.pages = range(pages)
        for page in self.pages:
            self.engine.step([Work([5] * PAGE, 0, [page], slot=page % STREAMS)])

    def speed(self) -> float:
        """Tokens per second of all sequences."""
        times = []
        for step in range(STEPS):
            works = [Work([5], CONTEXT + step - 1, self.pages, slot=i) for i in range(STREAMS)]
            times.append(seconds(partial(self.engine.step, works)))
        return STREAMS / statistics.median(times)


def main() -> None:
    ours, peer = Side(HYBRID), Side(TRANSFORMER)
    print(f"{ours.parameters:,} parameters, the transformer {peer.parameters:,}")
    state = 4 * HYBRID.state_numbers
    tokens = 2 * CONTEXT * sum(block.mixer.numbers_per_token for block in TRANSFORMER.blocks)
    print(f"a sequence keeps {state / 1e6:.1f} MB and a window, or {tokens / 1e6:.0f} MB")
    speeds = alternate(ours.speed, peer.speed, rounds=3)
    work = f"decode, {STREAMS} streams at {CONTEXT} tokens, {DTYPE}"
    write("inference_hybrid", [Row(work, "tokens/s", *speeds, "transformer", GOAL)])


if __name__ == "__main__":
    main()
