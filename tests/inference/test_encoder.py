"""Encoders: the native one gives what torch gives, nearly so in eight bits, in any company."""

from __future__ import annotations

from pathlib import Path
from zlib import crc32

import numpy as np
import pytest
import torch

from openhearth.data.tokenizer import Tokenizer
from openhearth.errors import UsageError
from openhearth.inference.encoder import Encoder, open_encoder
from openhearth.inference.native import _engine
from openhearth.inference.torch_encoder import TorchEncoder
from openhearth.models import MLP, Attention, Block, Model, ModelConfig, pull
from openhearth.models.build import build
from openhearth.models.weights import Weights
from openhearth.store import Store

pytestmark = pytest.mark.skipif(_engine is None, reason="the extension was not built")

VOCABULARY, CONTEXT = 150, 80


def bert(activation: str = "gelu", size: int = 16) -> ModelConfig:
    mixer = Attention(
        heads=4,
        kv_heads=4,
        head_dim=size,
        rope_theta=None,
        bias=True,
        output_bias=True,
        causal=False,
    )
    return ModelConfig(
        vocab_size=VOCABULARY,
        width=64,
        context_length=CONTEXT,
        norm="layer",
        norms="post",
        norm_eps=1e-12,
        positions=True,
        segments=2,
        tied_head=True,
        family="bert",
        blocks=(Block(mixer=mixer, channel=MLP(hidden=96, activation=activation)),) * 2,
    )


class Random(Weights):
    """The same weights for the same name and shape."""

    def __init__(self, config: ModelConfig) -> None:
        with torch.device("meta"):
            self.shapes = {n: p.shape for n, p in Model(config).named_parameters()}

    def values(self, name: str) -> np.ndarray:
        generator = torch.Generator().manual_seed(crc32(name.encode()))
        return torch.randn(self.shapes[name], generator=generator).numpy() / 4


def native(config: ModelConfig, dtype: str = "auto", threads: int = 2) -> Encoder:
    from openhearth.inference.native.encoder import NativeEncoder

    return NativeEncoder(config, Random(config), dtype=dtype, threads=threads)


def texts(*lengths: int) -> list[list[int]]:
    random = np.random.default_rng(0)
    return [random.integers(0, VOCABULARY, n).tolist() for n in lengths]


def cosines(found: np.ndarray, meant: np.ndarray) -> np.ndarray:
    norms = np.linalg.norm(found, axis=-1) * np.linalg.norm(meant, axis=-1)
    return (found * meant).sum(-1) / norms


@pytest.mark.parametrize(("activation", "size"), [("gelu", 16), ("gelu_tanh", 32), ("gelu", 40)])
def test_hidden_states_are_those_of_torch(activation: str, size: int) -> None:
    config = bert(activation, size)
    reference = TorchEncoder(build(config, Random(config), torch.float32))
    some = texts(1, 30, 33, CONTEXT)
    found, meant = native(config, "float32").hidden(some), reference.hidden(some)
    assert meant.std() > 0.05  # the comparison would mean nothing between zeros
    np.testing.assert_allclose(found, meant, rtol=0, atol=1e-5)


def test_eight_bits_are_the_default_and_near() -> None:
    config = bert()
    some = texts(20, 80)
    eight, meant = native(config).hidden(some), native(config, "float32").hidden(some)
    assert np.array_equal(eight, native(config, "int8").hidden(some))
    assert cosines(eight, meant).min() > 0.999


@pytest.mark.parametrize("dtype", ["float32", "int8"])
def test_company_threads_and_kernels_change_nothing(
    dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also of so many texts that they take several steps."""
    config, some = bert(), texts(1, 30, 33, CONTEXT) * 20
    encoder = native(config, dtype)
    together = encoder.hidden(some)
    assert np.array_equal(together, np.concatenate([encoder.hidden([text]) for text in some]))
    for kind in _engine.kinds():
        monkeypatch.setenv("OPENHEARTH_ISA", kind)
        assert np.array_equal(together, native(config, dtype, threads=1).hidden(some))


@pytest.mark.parametrize(
    ("wrong", "why"),
    [([], "cut it"), ([1] * (CONTEXT + 1), "cut it"), ([VOCABULARY], "its own tokenizer")],
)
def test_texts_that_cannot_be_encoded_are_refused(wrong: list[int], why: str) -> None:
    with pytest.raises(UsageError, match=why):
        native(bert()).hidden([[1, 2], wrong])
    assert native(bert()).hidden([]).shape == (0, 64)


def test_what_writes_is_no_encoder(tiny_model_home: Path) -> None:
    for kind in ("native", "torch"):
        with pytest.raises(UsageError, match="use an encoder"):
            open_encoder(kind, Store(tiny_model_home).get("tiny"))
    with pytest.raises(UsageError, match="no executor"):
        open_encoder("abacus", Store(tiny_model_home).get("tiny"))


def test_minilm_in_eight_bits_makes_the_vectors_of_fp32(tmp_path: Path) -> None:
    """all-MiniLM-L6-v2; its vector of a text is the mean of the hidden states."""
    artifact = pull(Store(tmp_path / "home"), "minilm-l6")
    tokenizer = Tokenizer.load(artifact)
    paragraphs = (Path(__file__).parents[2] / "README.md").read_text().split("\n\n")
    framed = [[101, *tokenizer.encode(text)[:254], 102] for text in paragraphs]  # [CLS], [SEP]
    starts = np.cumsum([0, *map(len, framed[:-1])])
    vectors = {}
    for kind, dtype in (("torch", "float32"), ("native", "float32"), ("native", "auto")):
        states = open_encoder(kind, artifact, dtype=dtype).hidden(framed)
        sums = np.add.reduceat(states, starts)
        vectors[kind, dtype] = sums / np.linalg.norm(sums, axis=-1, keepdims=True)
    meant = vectors["torch", "float32"]
    np.testing.assert_allclose(vectors["native", "float32"], meant, rtol=0, atol=1e-5)
    assert cosines(vectors["native", "auto"], meant).min() > 0.999
