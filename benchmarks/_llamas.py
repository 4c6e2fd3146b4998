"""Models of two sizes, as we and as `transformers` describe them, to be compared on a GPU."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from _results import Row, write

from openhearth.models import Attention, Block, ModelConfig, SwiGLU


@dataclass(frozen=True)
class Shape:
    """A Llama's sizes; its heads have 64 numbers."""

    width: int
    layers: int
    heads: int
    kv_heads: int
    hidden: int
    words: int

    @property
    def parameters(self) -> int:
        """The matrices' numbers, and the head's, which is the embedding too."""
        attention = 2 * self.width * 64 * (self.heads + self.kv_heads)
        return self.layers * (attention + 3 * self.width * self.hidden) + self.words * self.width

    def ours(self, context: int) -> ModelConfig:
        """For texts of so many tokens."""
        mixer = Attention(heads=self.heads, kv_heads=self.kv_heads, head_dim=64, rope_theta=1e5)
        return ModelConfig(
            vocab_size=self.words,
            width=self.width,
            context_length=context,
            tied_head=True,
            blocks=(Block(mixer=mixer, channel=SwiGLU(hidden=self.hidden)),) * self.layers,
        )

    def theirs(self) -> Any:
        """A configuration of `transformers`."""
        from transformers import LlamaConfig

        return LlamaConfig(
            vocab_size=self.words,
            hidden_size=self.width,
            intermediate_size=self.hidden,
            num_hidden_layers=self.layers,
            num_attention_heads=self.heads,
            num_key_value_heads=self.kv_heads,
            head_dim=64,
            rope_theta=1e5,
            tie_word_embeddings=True,
            attn_implementation="sdpa",
        )


SHAPES = {
    "135M": Shape(width=576, layers=30, heads=9, kv_heads=3, hidden=1536, words=49152),
    "1B": Shape(width=2048, layers=16, heads=32, kv_heads=8, hidden=8192, words=128256),
}


def on_gpu(name: str, rows: Callable[[str, Shape], list[Row]]) -> None:
    """Compare by `rows` on each shape, if there is a GPU, and write what was found."""
    if not torch.cuda.is_available():
        print("This benchmark needs an NVIDIA GPU and a torch built for it, and finds none.")
        return
    print(torch.cuda.get_device_name())
    write(name, [row for of, shape in SHAPES.items() for row in rows(of, shape)])
