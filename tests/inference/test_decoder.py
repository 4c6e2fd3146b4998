"""Steps of decoding in few shapes compute what steps of any shape do, and can be captured."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from openhearth.inference import decoder
from openhearth.inference.executor import Work
from openhearth.inference.torch_executor import TorchExecutor, has_fixed_shapes
from openhearth.models import (
    RWKV7,
    Attention,
    Block,
    GatedConv,
    GatedDelta,
    Hyena,
    LoraConfig,
    Mamba,
    Mamba2,
    Model,
    ModelConfig,
    MoE,
    ShortConv,
    SwiGLU,
    add_adapter,
)
from openhearth.models.channel_config import Channel
from openhearth.models.decode_table import DecodeTable, Spare
from openhearth.models.mixer_config import Mixer

PAGE, PAGES, SLOTS, WORDS = 4, 120, 12, 50
FULL = Attention(heads=4, kv_heads=2, head_dim=8, rope_theta=1e4, qk_norm=True)
LOCAL = FULL.model_copy(update={"window": 6, "softcap": 20.0, "sinks": True})
MIXERS: dict[str, list[Mixer]] = {
    "transformer": [FULL, LOCAL],
    "hybrid": [ShortConv(), FULL, GatedDelta(heads=4, key_heads=2, key_dim=8, value_dim=8)],
    "constant": [Mamba2(heads=4, head_dim=16, state=16), Mamba(inner=64, step_rank=8)],
    "rwkv": [RWKV7(heads=4, head_dim=8, decay_rank=4, rate_rank=4, gate_rank=4)],
    "convolutions": [Hyena(taps=64), GatedConv(modes=4, heads=4)],
}


def random_model(mixers: list[Mixer], channel: Channel | None = None) -> Model:
    config = ModelConfig(
        vocab_size=WORDS,
        width=32,
        context_length=256,
        tied_head=True,
        family="hearth",
        blocks=tuple(Block(mixer=mixer, channel=channel or SwiGLU(hidden=64)) for mixer in mixers),
    )
    generator = torch.Generator().manual_seed(0)
    model = Model(config).requires_grad_(False).eval()
    for name, parameter in model.named_parameters():
        parameter.normal_(generator=generator).mul_(0.3).add_("norm" in name)
    return model


def add_random_adapter(model: Model, name: str) -> None:
    add_adapter(model, name, LoraConfig(), seed=1)
    for pair in model.adapter(name).values():
        pair.requires_grad_(False).b.normal_(generator=torch.Generator().manual_seed(2))


class Streams:
    """Sequences that two executors compute side by side."""

    def __init__(self, *executors: TorchExecutor, count: int = SLOTS) -> None:
        self.executors, self.chance = executors, random.Random(1)
        pages = self.chance.sample(range(PAGES), PAGES)
        self.pages = [pages[i::count] for i in range(count)]
        self.lengths = [0] * count

    def step(self, sizes: dict[int, int], adapter: str | None = None) -> list[np.ndarray]:
        """So many new tokens of some sequences; the logits of each executor."""
        works = []
        for i, size in sizes.items():
            tokens = [self.chance.randrange(WORDS) for _ in range(size)]
            works.append(Work(tokens, self.lengths[i], self.pages[i], adapter, 1, i))
            self.lengths[i] += size
        return [executor.step(works) for executor in self.executors]

    def agree(
        self, sizes: dict[int, int], adapter: str | None = None, tolerance: float = 1e-4
    ) -> None:
        expected, got = self.step(sizes, adapter)
        assert np.isfinite(expected).all()
        atol = tolerance * np.abs(expected).max()
        np.testing.assert_allclose(got, expected, rtol=0, atol=atol)

    def decode(self, count: int) -> dict[int, int]:
        return dict.fromkeys(self.chance.sample(range(len(self.lengths)), count), 1)


def both(model: Model) -> Streams:
    """One that computes steps as they come, and one that fills them up; spare room is dirty."""
    filling = TorchExecutor(model, PAGES, SLOTS, PAGE, captures=True)
    for state in filling._states:
        for kept in vars(state).values():
            for tensor in kept.values() if isinstance(kept, dict) else [kept]:
                tensor.fill_(torch.nan)
    return Streams(TorchExecutor(model, PAGES, SLOTS, PAGE, captures=False), filling)


@pytest.mark.parametrize("name", MIXERS)
def test_it_computes_what_steps_of_any_shape_do(name: str) -> None:
    """In steps of any number of sequences, some of which just begin, between chunks of prompts."""
    streams = both(random_model(MIXERS[name]))
    for i in range(0, SLOTS, 2):
        streams.agree({i: streams.chance.randrange(2, 9), i + 1: 1})
    for count in (1, 2, 3, 5, SLOTS, 1, 7, 4):
        streams.agree(streams.decode(count))
    streams.agree({0: 3, 1: 1, 2: 1})
    streams.agree(streams.decode(SLOTS))


def test_few_shapes_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoder, "MOST_SHAPES", 2)
    streams = both(random_model(MIXERS["hybrid"]))
    kept = streams.executors[1]._decoder._shapes
    for count in (1, 2, 5, 1, 3, 1, 9, 9):
        streams.agree(streams.decode(count))
        assert len(kept) <= 2


def test_adapters_are_used() -> None:
    model = random_model(MIXERS["transformer"])
    add_random_adapter(model, "mine")
    streams = both(model)
    streams.agree(streams.decode(SLOTS), adapter="mine")
    streams.agree(streams.decode(3), adapter="mine")
    streams.agree(streams.decode(3))


class Only(TorchDispatchMode):
    """Refuses to compute with tensors of any other device."""

    def __init__(self, device: str) -> None:
        super().__init__()
        self.device = device

    def __torch_dispatch__(
        self, function: Callable, types: Any, arguments: tuple = (), settings: dict | None = None
    ) -> Any:
        made = function(*arguments, **(settings or {}))
        for leaf in tree_leaves((arguments, settings, made)):
            assert not isinstance(leaf, torch.Tensor) or leaf.device.type == self.device, function
        return made


@pytest.mark.parametrize("name", MIXERS)
@torch.inference_mode()
def test_it_can_be_captured(name: str) -> None:
    """On a device without numbers: neither a shape nor a branch depends on one, and no tensor
    comes from elsewhere."""
    model = random_model(MIXERS[name]).to("meta")
    assert has_fixed_shapes(model)
    spare = Spare(PAGES, SLOTS)
    with torch.device("meta"):
        states = model.new_states(PAGES + 1, PAGE, SLOTS + 1)
        numbers = torch.tensor(spare.rows(8, 4))
        table = DecodeTable(numbers=numbers, spare=spare)
        model(table.tokens, table, states)  # caches fill
        with Only("meta"):
            table = DecodeTable(numbers=numbers, spare=spare)
            assert model(table.tokens, table, states).shape == (8, 32)


@pytest.mark.parametrize("name", MIXERS)
@torch.inference_mode()
def test_all_is_made_on_the_models_device(name: str) -> None:
    """Steps of every kind on the device without numbers, which no other's tensor can be mixed
    with."""
    model = random_model(MIXERS[name]).to("meta")
    executor = TorchExecutor(model, PAGES, SLOTS, PAGE, captures=True)
    chunk, follower = Work([1, 2, 3], 4, [5, 6], slot=3), Work([7], 9, [1, 2, 3], slot=1)
    for works in ([chunk], [follower], [follower, chunk, chunk]):
        with torch.device("meta"):
            logits = executor._logits(works)
        assert logits.device.type == "meta"
        assert logits.shape == (len(works), WORDS)


def test_experts_cannot_be_captured() -> None:
    model = random_model([FULL], MoE(experts=4, active=2, hidden=16))
    assert not has_fixed_shapes(model)
