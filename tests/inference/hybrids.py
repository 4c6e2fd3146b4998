"""Small random models with recurrent mixers, in a store of their own, and a way to ask them."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import save_file

from openhearth.models import (
    Attention,
    Block,
    GatedDelta,
    Mamba,
    Mamba2,
    Model,
    ModelConfig,
    ShortConv,
    SwiGLU,
)
from openhearth.models.mixer_config import Mixer
from openhearth.store import Draft, Store
from tests.conftest import write_tokenizer

WIDTH = 32
ATTENTION = Attention(heads=4, kv_heads=2, head_dim=8)
MIXERS: dict[str, list[Mixer]] = {
    "hybrid": [ShortConv(), ATTENTION, GatedDelta(heads=4, key_heads=2, key_dim=16, value_dim=16)],
    "constant": [Mamba2(heads=4, head_dim=16, state=16), Mamba(inner=64, step_rank=8)],
}


def write_home(home: Path) -> Path:
    """A store with a model of each kind."""
    store = Store(home)
    for name, mixers in MIXERS.items():

        def build(draft: Draft, mixers: list[Mixer] = mixers) -> None:
            write(draft, mixers)

        store.tag(name, store.make("model", build, recipe={"test": name}).digest)
    return home


def write(draft: Draft, mixers: list[Mixer]) -> None:
    """A model with these mixers and random weights."""
    config = ModelConfig(
        vocab_size=write_tokenizer(draft.path("tokenizer.json").parent),
        width=WIDTH,
        context_length=512,
        tied_head=True,
        family="hearth",
        blocks=tuple(Block(mixer=mixer, channel=SwiGLU(hidden=64)) for mixer in mixers),
    )
    draft.path("config.json").write_text(config.model_dump_json())
    generator = torch.Generator().manual_seed(0)
    weights = {
        name: torch.randn(p.shape, generator=generator) * 0.3 + ("norm" in name)
        for name, p in Model(config).named_parameters()
    }
    save_file(weights, draft.path("model.safetensors"))
