"""Native mixers with a state, and experts: the torch model's logits, and the same in company."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from openhearth.inference.executor import Room, Work
from openhearth.inference.native import NoKernel, _engine
from openhearth.models import (
    RWKV7,
    Attention,
    Block,
    GatedConv,
    GatedDelta,
    LoraConfig,
    Mamba,
    Mamba2,
    ModelConfig,
    MoE,
    ShortConv,
    SwiGLU,
    add_adapter,
)
from openhearth.models.build import build
from openhearth.models.channel_config import Channel
from openhearth.models.mixer_config import Mixer

if _engine is None:
    pytest.skip("the extension was not built", allow_module_level=True)
from openhearth.inference.native.executor import NativeExecutor
from tests.inference.native.test_executor import Random, reference, tokens

LENGTH, PAGES, SLOTS = 75, [5, 0, 9], 6
MIXERS: dict[str, Mixer] = {
    "short_conv": ShortConv(),
    "short_conv, long and with biases": ShortConv(kernel=6, bias=True),
    "gated_conv": GatedConv(modes=3),
    "gated_conv, by head": GatedConv(modes=1, kernel=5, heads=8, bias=False),
    "mamba": Mamba(inner=96, state=16, step_rank=40),
    "mamba, norms and biases": Mamba(
        inner=96, state=32, step_rank=16, kernel=3, bias=True, conv_bias=False, norms=True
    ),
    "mamba2": Mamba2(heads=6, head_dim=16, state=48, groups=2),
    "mamba2, held steps": Mamba2(
        heads=2,
        head_dim=96,
        state=16,
        norm_groups=2,
        bias=True,
        conv_bias=False,
        least_step=0.3,
        most_step=0.9,
    ),
    "gated_delta": GatedDelta(heads=6, key_heads=3, key_dim=16, value_dim=32),
    "gated_delta, by head": GatedDelta(
        heads=6, key_heads=3, key_dim=16, value_dim=32, matrices="by_head", norm_eps=1e-3
    ),
    "gated_delta, apart": GatedDelta(
        heads=2, key_heads=2, key_dim=32, value_dim=80, matrices="apart", negative=True
    ),
    "rwkv7": RWKV7(heads=3, head_dim=32, decay_rank=24, rate_rank=8, gate_rank=40),
    "rwkv7, long heads": RWKV7(heads=2, head_dim=80, decay_rank=32, rate_rank=32, gate_rank=32),
}
EXPERTS = {
    "moe": MoE(hidden=96, experts=5, active=2),
    "moe, all of it": MoE(
        hidden=64,
        experts=12,
        active=3,
        activation="gelu",
        score="sigmoid",
        normalised=False,
        factor=2.5,
        biased=True,
        groups=4,
        active_groups=2,
        shared=32,
    ),
    "moe, shared by a gate": MoE(hidden=32, experts=40, active=8, shared=96, shared_gate=True),
}
GATED = SwiGLU(hidden=96)


def hybrid(*mixers: Mixer, width: int = 64, channel: Channel = GATED) -> ModelConfig:
    return ModelConfig(
        vocab_size=150,
        width=width,
        context_length=256,
        blocks=tuple(Block(mixer=mixer, channel=channel) for mixer in mixers),
    )


ATTENTION = Attention(heads=4, kv_heads=2, head_dim=32)
CONFIGS = {name: hybrid(mixer, ATTENTION, mixer) for name, mixer in MIXERS.items()}
CONFIGS |= {name: hybrid(ShortConv(), ATTENTION, channel=c) for name, c in EXPERTS.items()}


def executor(name: str, **settings: object) -> NativeExecutor:
    config, room = CONFIGS[name], Room(12, SLOTS)
    return NativeExecutor(config, Random(config), room=room, **{"dtype": "float32"} | settings)


@pytest.mark.parametrize("name", CONFIGS)
def test_logits_are_those_of_the_torch_model(name: str) -> None:
    config, prompt = CONFIGS[name], tokens(LENGTH)
    found = executor(name).step([Work(prompt, 0, PAGES, wanted=LENGTH, slot=3)])
    expected = reference(build(config, Random(config), torch.float32), prompt)
    np.testing.assert_allclose(found, expected, rtol=0, atol=5e-4)


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("dtype", ["int8", "float32"])
def test_kinds_of_kernels_agree(name: str, dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    work, found = Work(tokens(LENGTH), 0, PAGES, wanted=LENGTH, slot=0), []
    for kind in _engine.kinds():
        monkeypatch.setenv("OPENHEARTH_ISA", kind)
        found.append(executor(name, dtype=dtype).step([work]))
    assert all(np.array_equal(found[0], other) for other in found)


SHARED = {name: executor(name, threads=2) for name in CONFIGS}


@settings(max_examples=20)
@given(
    st.sampled_from(list(CONFIGS)),
    st.lists(st.sets(st.integers(1, LENGTH - 1)), min_size=1, max_size=3),
    st.permutations(range(SLOTS)),
)
def test_company_and_chunks_change_nothing(
    name: str, cuts: list[set[int]], slots: list[int]
) -> None:
    """Sequences in steps of any sizes, where others were before: each one's logits are those alone.

    Between steps their states move to other slots.
    """
    shared = SHARED[name]
    plans = [list(zip([0, *sorted(c)], [*sorted(c), LENGTH], strict=True)) for c in cuts]
    found: list[list[np.ndarray]] = [[] for _ in cuts]
    for step in range(max(map(len, plans))):
        running = [i for i, plan in enumerate(plans) if step < len(plan)]
        works = []
        for i in running:
            begin, end = plans[i][step]
            slot, pages = slots[i + 3 * (step % 2)], range(3 * i, 3 * i + 3)
            text = tokens(LENGTH, i)[begin:end]
            works.append(Work(text, begin, pages, None, end - begin, slot))
        rows = shared.step(works)
        shared.copy_states(
            [(w.slot, slots[i + 3 * (1 - step % 2)]) for i, w in zip(running, works, strict=True)]
        )
        ends = np.cumsum([work.wanted for work in works])[:-1]
        for i, part in zip(running, np.split(rows, ends), strict=True):
            found[i].append(part)
    for i, parts in enumerate(found):
        alone = Work(tokens(LENGTH, i), 0, [9, 10, 11], wanted=LENGTH, slot=slots[i])
        assert np.array_equal(np.concatenate(parts), shared.step([alone]))


@pytest.mark.parametrize("name", CONFIGS)
def test_adapters_of_all_matrices(name: str) -> None:
    config, prompt = CONFIGS[name], tokens(40)
    model, engine = build(config, Random(config), torch.float32), executor(name)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weight in add_adapter(model, "one", LoraConfig(4, 8.0), seed=1):
            weight.copy_(torch.randn(weight.shape, generator=generator) / 10)
    pairs = model.adapter("one")
    assert engine.shapes().keys() == pairs.keys()
    numbers = {
        path: (pair.a.detach().numpy(), pair.b.detach().numpy() * pair.scale)
        for path, pair in pairs.items()
    }
    engine.attach("one", engine.pack_adapter("one", numbers))
    found = engine.step([Work(prompt, 0, PAGES, "one", 40, slot=1)])
    expected = reference(model, prompt, "one")
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-3)


def test_what_has_no_kernel_is_said() -> None:
    config = hybrid(ShortConv(), width=40)
    with pytest.raises(NoKernel, match="use the torch executor"):
        NativeExecutor(config, Random(config), room=Room(2, 1))


def test_there_is_no_such_slot() -> None:
    with pytest.raises(ValueError, match="no such slot"):
        executor("short_conv").copy_states([(0, SLOTS)])
