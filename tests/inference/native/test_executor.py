"""The native executor gives what the torch model gives, and the same in any company."""

from __future__ import annotations

from collections.abc import Sequence
from zlib import crc32

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from openhearth.errors import CorruptArtifact, UsageError
from openhearth.inference.executor import PAGE, Room, Work
from openhearth.inference.native import NoKernel, _engine
from openhearth.models import (
    MLP,
    Attention,
    Block,
    Hyena,
    LoraConfig,
    Model,
    ModelConfig,
    MoE,
    Piece,
    Ragged,
    SwiGLU,
    add_adapter,
)
from openhearth.models.build import build
from openhearth.models.channel_config import Channel
from openhearth.models.mixer_config import Mixer
from openhearth.models.weights import Weights

if _engine is None:
    pytest.skip("the extension was not built", allow_module_level=True)
from openhearth.inference.native.encoder import NativeEncoder
from openhearth.inference.native.executor import NativeExecutor
from openhearth.inference.native.memory import kept_as, token_bytes

VOCABULARY, PAGES = 150, 24
MIXER = Attention(heads=4, kv_heads=2, head_dim=32, bias=True)
CONFIG = ModelConfig(
    vocab_size=VOCABULARY,
    width=64,
    context_length=256,
    blocks=(Block(mixer=MIXER, channel=SwiGLU(hidden=96)),) * 2,
)


GEMMA = ModelConfig(
    vocab_size=VOCABULARY,
    width=64,
    context_length=256,
    norms="sandwich",
    embed_factor=8.0,
    tied_head=True,
    blocks=tuple(
        Block(
            mixer=Attention(
                heads=4,
                kv_heads=1,
                head_dim=64,
                rope_theta=theta,
                qk_norm=True,
                scale=0.1,
                window=window,
                output_bias=True,
            ),
            channel=SwiGLU(hidden=160, activation="gelu_tanh", bias=True),
        )
        for theta, window in ((1e4, 20), (1e6, None))
    ),
)


class Random(Weights):
    """The same weights for the same name and shape."""

    def __init__(self, config: ModelConfig = CONFIG) -> None:
        with torch.device("meta"):
            self.shapes = {n: p.shape for n, p in Model(config).named_parameters()}

    def values(self, name: str) -> np.ndarray:
        generator = torch.Generator().manual_seed(crc32(name.encode()))
        values = torch.randn(self.shapes[name], generator=generator).numpy()
        return 1 + values / 10 if "norm" in name else values / 5


def executor(dtype: str = "float32", threads: int = 2, kv_dtype: str = "auto") -> NativeExecutor:
    settings = {"dtype": dtype, "kv_dtype": kv_dtype, "threads": threads}
    return NativeExecutor(CONFIG, Random(), room=Room(PAGES), **settings)


@pytest.fixture(scope="module")
def model() -> Model:
    return build(CONFIG, Random(), torch.float32)


def reference(model: Model, tokens: Sequence[int], adapter: str | None = None) -> np.ndarray:
    """Logits after each token, of the torch model."""
    with torch.inference_mode():
        batch = Ragged([Piece(len(tokens), adapter=adapter)])
        return model.logits(model(torch.tensor(list(tokens)), batch)).numpy()


def tokens(count: int, seed: int = 0) -> list[int]:
    return np.random.default_rng(seed).integers(0, VOCABULARY, count).tolist()


def test_logits_are_those_of_the_torch_model(model: Model) -> None:
    prompt = tokens(70)
    found = executor().step([Work(prompt, 0, [5, 0, 9], wanted=70)])
    np.testing.assert_allclose(found, reference(model, prompt), rtol=0, atol=2e-4)


def test_windows_norms_of_heads_and_sandwiches() -> None:
    prompt = tokens(70)
    engine = NativeExecutor(GEMMA, Random(GEMMA), room=Room(PAGES), dtype="float32")
    found = engine.step([Work(prompt, 0, [5, 0, 9], wanted=70)])
    expected = reference(build(GEMMA, Random(GEMMA), torch.float32), prompt)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-3)


@pytest.mark.parametrize(("size", "rotary"), [(8, None), (72, None), (80, None), (80, 32), (64, 2)])
def test_heads_of_any_size(size: int, rotary: int | None) -> None:
    mixer = Attention(heads=4, kv_heads=2, head_dim=size, rotary=rotary, bias=True, qk_norm=True)
    blocks = (Block(mixer=mixer, channel=SwiGLU(hidden=96)),)
    config = CONFIG.model_copy(update={"blocks": blocks})
    prompt = tokens(70)
    engine = NativeExecutor(config, Random(config), room=Room(PAGES), dtype="float32")
    found = engine.step([Work(prompt, 0, [5, 0, 9], wanted=70)])
    expected = reference(build(config, Random(config), torch.float32), prompt)
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-4)


GATED = SwiGLU(hidden=96)
VARIANTS = {
    "gates of exact GELU": {"channel": SwiGLU(hidden=96, activation="gelu")},
    "squared ReLU": {"channel": MLP(hidden=96, activation="relu2")},
    "GELU without biases": {"channel": MLP(hidden=96, bias=False)},
    "no channels": {"channel": None},
    "experts": {"channel": MoE(hidden=96, experts=4, active=2)},
    "capped logits": {"logit_cap": 5.0},
    "a head with biases": {"head_bias": True},
    "layer norms without biases": {"norm": "layer", "norm_bias": False},
    "layers side by side": {"norms": "parallel", "norm": "layer", "head_bias": True},
    "a norm of the embedding": {"embed_norm": True},
    "both, and a norm of the embedding": {"embed_norm": True, "norms": "parallel"},
    "one norm of the embedding where all stand behind": {"embed_norm": True, "norms": "post"},
    "sandwiches of experts": {"norms": "sandwich", "channel": MoE(hidden=96, experts=4, active=1)},
}


def varied(mixer: Mixer = MIXER, channel: Channel | None = GATED, **changed: object) -> ModelConfig:
    blocks = (Block(mixer=mixer, channel=channel),) * 2
    return CONFIG.model_copy(update={"blocks": blocks} | changed)


@pytest.mark.parametrize("what", VARIANTS)
def test_what_models_differ_in(what: str) -> None:
    config, prompt = varied(**VARIANTS[what]), tokens(70)
    engine = NativeExecutor(config, Random(config), room=Room(PAGES), dtype="float32")
    found = engine.step([Work(prompt, 0, [5, 0, 9], wanted=70)])
    expected = reference(build(config, Random(config), torch.float32), prompt)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-3)


WITHOUT_KERNEL = {
    "long heads": MIXER.model_copy(update={"head_dim": 1024}),
    "soft caps": MIXER.model_copy(update={"softcap": 50.0}),
    "sinks": MIXER.model_copy(update={"sinks": True}),
    "gates behind queries": MIXER.model_copy(update={"gated": True}),
    "another mixer": Hyena(taps=16),
}


@pytest.mark.parametrize("what", WITHOUT_KERNEL)
def test_what_has_no_kernel_is_said(what: str) -> None:
    config = varied(WITHOUT_KERNEL[what])
    with pytest.raises(NoKernel, match="torch executor"):
        NativeExecutor(config, Random(config), room=Room(PAGES))


def test_windows_on_both_sides_have_no_kernel() -> None:
    mixer = MIXER.model_copy(update={"causal": False, "window": 8})
    config = CONFIG.model_copy(update={"blocks": (Block(mixer=mixer, channel=GATED),)})
    with pytest.raises(NoKernel, match="both sides"):
        NativeEncoder(config, Random(config))


def test_an_encoder_writes_no_text() -> None:
    mixer = MIXER.model_copy(update={"causal": False})
    config = CONFIG.model_copy(update={"blocks": (Block(mixer=mixer, channel=SwiGLU(hidden=96)),)})
    with pytest.raises(UsageError, match="encoder"):
        NativeExecutor(config, Random(config), room=Room(PAGES))


@pytest.mark.parametrize(
    ("dtype", "nats"), [("bfloat16", 1e-3), ("int8", 1e-2), ("int4", 0.5), ("int4-head8", 0.4)]
)
def test_fewer_bits_stay_near(model: Model, dtype: str, nats: float) -> None:
    """The mean divergence (KL) of the next token's distribution from that of fp32 weights."""
    prompt = tokens(70)
    found = torch.tensor(executor(dtype).step([Work(prompt, 0, [5, 0, 9], wanted=70)]))
    meant = torch.tensor(reference(model, prompt)).log_softmax(-1)
    divergence = (meant.exp() * (meant - found.log_softmax(-1))).sum(-1).mean()
    assert 0 <= divergence < nats


def test_a_head_of_eight_bits_is_nearer_than_one_of_four(model: Model) -> None:
    prompt = tokens(70)
    work, meant = Work(prompt, 0, [5, 0, 9], wanted=70), reference(model, prompt)
    four, mixed, eight = (
        np.square(executor(dtype).step([work]) - meant).mean()
        for dtype in ("int4", "int4-head8", "int8")
    )
    assert eight < mixed < four


def test_keys_and_values_in_eight_bits_stay_near_and_take_half(model: Model) -> None:
    prompt = tokens(70)
    work = Work(prompt, 0, [5, 0, 9], wanted=70)
    found = torch.tensor(executor("float32", kv_dtype="int8").step([work]))
    meant = torch.tensor(reference(model, prompt)).log_softmax(-1)
    divergence = (meant.exp() * (meant - found.log_softmax(-1))).sum(-1).mean()
    assert 0 < divergence < 1e-2
    config = ModelConfig(
        vocab_size=1,
        width=64,
        context_length=64,
        blocks=(
            Block(mixer=Attention(heads=1, kv_heads=1, head_dim=64), channel=SwiGLU(hidden=32)),
        ),
    )
    assert token_bytes(config, kept_as("int8", "int4")) == 2 * (64 + 4)  # numbers and a scale
    assert token_bytes(config, kept_as("auto", "int4")) == 2 * (2 * 64 + 4)
    assert token_bytes(config, kept_as("auto", "float32")) == 2 * 4 * 64
    with pytest.raises(UsageError, match="kv_dtype"):
        executor(kv_dtype="int3")


@pytest.mark.parametrize("kind", _engine.kinds())
@pytest.mark.parametrize(
    ("dtype", "kv_dtype"), [("float32", "auto"), ("int4-min", "auto"), ("int8", "int8")]
)
def test_every_kind_of_kernels_gives_the_same(
    kind: str, dtype: str, kv_dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompt = tokens(70)
    best = executor(dtype, kv_dtype=kv_dtype).step([Work(prompt, 0, [0, 1, 2], wanted=70)])
    asked: list[str] = []

    class Program(_engine.Program):
        def __init__(self, kernels: str, threads: int) -> None:
            asked.append(kernels)
            super().__init__(kernels, threads)

    monkeypatch.setattr(_engine, "Program", Program)
    monkeypatch.setenv("OPENHEARTH_ISA", kind)
    forced = executor(dtype, threads=1, kv_dtype=kv_dtype)
    assert asked == [kind]
    assert np.array_equal(forced.step([Work(prompt, 0, [0, 1, 2], wanted=70)]), best)


def test_kernels_that_this_processor_lacks_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENHEARTH_ISA", "sse9")
    with pytest.raises(UsageError, match=r"OPENHEARTH_ISA is 'sse9', but .* portable"):
        executor()
    with pytest.raises(ValueError, match="cannot run these kernels"):
        _engine.Program("sse9", 1)


SHARED = {
    "float32": executor("float32"),
    "int8": executor("int8"),
    "int8 throughout": executor("int8", kv_dtype="int8"),
}
ALONE: dict[tuple[str, int], np.ndarray] = {}


def alone(dtype: str, seed: int) -> np.ndarray:
    """A prompt's logits when it is computed at once and by itself."""
    if (dtype, seed) not in ALONE:
        work = Work(tokens(75, seed), 0, [20, 21, 22], wanted=75)
        ALONE[dtype, seed] = SHARED[dtype].step([work])
    return ALONE[dtype, seed]


@settings(deadline=None, max_examples=40)
@given(
    st.sampled_from(list(SHARED)),
    st.lists(st.sets(st.integers(1, 74)), min_size=1, max_size=5),
    st.permutations(range(18)),
)
def test_company_and_chunks_change_nothing(
    dtype: str, cuts: list[set[int]], pages: list[int]
) -> None:
    """Sequences in steps of any sizes, beside each other: each one's logits are those alone."""
    plans = [list(zip([0, *sorted(c)], [*sorted(c), 75], strict=True)) for c in cuts]
    mine = [pages[3 * i : 3 * i + 3] for i in range(len(cuts))]
    found: list[list[np.ndarray]] = [[] for _ in cuts]
    for step in range(max(map(len, plans))):
        running = [i for i, plan in enumerate(plans) if step < len(plan)]
        works = [
            Work(tokens(75, i)[b:e], b, mine[i], wanted=e - b)
            for i in running
            for b, e in [plans[i][step]]
        ]
        rows = SHARED[dtype].step(works)
        ends = np.cumsum([work.wanted for work in works])[:-1]
        for i, part in zip(running, np.split(rows, ends), strict=True):
            found[i].append(part)
    for i, parts in enumerate(found):
        assert np.array_equal(np.concatenate(parts), alone(dtype, i))


def test_adapters_share_a_batch(model: Model) -> None:
    generator = torch.Generator().manual_seed(1)
    engine, names = executor(), ["one", "two"]
    for rank, name in zip((4, 24), names, strict=True):
        for pair in add_adapter(model, name, LoraConfig(rank, 2.0 * rank), seed=rank):
            with torch.no_grad():
                pair.copy_(torch.randn(pair.shape, generator=generator) / 8)
        pairs = model.adapter(name)
        numbers = {
            p: (x.a.detach().numpy(), x.b.detach().numpy() * x.scale) for p, x in pairs.items()
        }
        engine.attach(name, engine.pack_adapter(name, numbers))
    prompt = tokens(40)
    used = [None, *names, "one"]
    found = engine.step(
        [Work(prompt, 0, [2 * i, 2 * i + 1], name, 40) for i, name in enumerate(used)]
    ).reshape(4, 40, -1)
    for name, logits in zip(used, found, strict=True):
        np.testing.assert_allclose(logits, reference(model, prompt, name), rtol=0, atol=1e-3)
    assert np.array_equal(found[1], found[3])
    assert not np.allclose(found[0], found[1])
    engine.detach("one")
    with pytest.raises(KeyError):
        engine.step([Work(prompt, 0, [0, 1], "one")])


def test_an_adapter_with_a_weight_that_is_no_number_is_refused_by_name() -> None:
    engine, (name, (out, inputs)) = executor(), next(iter(SHARED["int8"].shapes().items()))
    for broken in range(2):
        pair = [np.ones((4, inputs), np.float32), np.ones((out, 4), np.float32)]
        pair[broken][0, 0] = np.nan
        with pytest.raises(CorruptArtifact, match=f"strange .* for {name}"):
            engine.pack_adapter("strange", {name: (pair[0], pair[1])})


def test_the_page_is_the_one_that_the_scheduler_knows() -> None:
    assert PAGE == _engine.PAGE == executor().page
