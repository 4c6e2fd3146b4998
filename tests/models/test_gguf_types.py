"""Which type a tensor gets: llama.cpp's rules, and what fits."""

from __future__ import annotations

import gguf
import numpy as np
import pytest

from openhearth.errors import UsageError
from openhearth.models import design
from openhearth.models.gguf_types import KINDS, Choice, check_kind, choose, pack


def kind_of(name: str, kind: str, *, width: int = 256, blocks: int = 16, tied: bool = False) -> str:
    block = [{"name": "attention"}]
    config = design(
        {"width": width, "vocab_size": 300, "heads": 4, "tied_head": tied, "blocks": block * blocks}
    )
    return choose(name, (64, width), kind, config).kind


def test_below_eight_bits_the_head_keeps_six() -> None:
    for kind in ("Q6_K", "Q5_1", "Q5_0", "Q4_K_M", "Q4_1", "Q4_0"):
        assert kind_of("head.weight", kind) == "Q6_K"
        assert kind_of("embed.weight", kind) == {"Q4_K_M": "Q4_K"}.get(kind, kind)
        assert kind_of("embed.weight", kind, tied=True) == "Q6_K"
    for kind in ("F32", "F16", "Q8_0"):
        assert kind_of("head.weight", kind) == kind


def test_some_matrices_of_q4_k_m_get_more() -> None:
    """Of 16 blocks: the first and the last two, and every third from the fifth on."""
    more = {0, 1, 4, 7, 10, 13, 14, 15}
    for number in range(16):
        for leaf in ("mixer.v", "channel.down"):
            expected = "Q6_K" if number in more else "Q4_K"
            assert kind_of(f"blocks.{number}.{leaf}.weight", "Q4_K_M") == expected
        assert kind_of(f"blocks.{number}.mixer.q.weight", "Q4_K_M") == "Q4_K"


def test_rows_that_are_no_whole_blocks_get_another_type() -> None:
    name = "blocks.0.mixer.v.weight"
    assert kind_of(name, "Q4_K_M", width=64) == "Q8_0"
    assert kind_of("blocks.0.mixer.q.weight", "Q4_K_M", width=64) == "Q5_0"
    for kind in ("Q8_0", "Q6_K", "Q4_0", "Q4_K_M", "F16"):
        assert kind_of(name, kind, width=40) == "F16"
    assert kind_of(name, "F32", width=40) == "F32"


def test_norms_and_biases_are_fp32() -> None:
    config = design({"width": 64, "vocab_size": 300, "heads": 4, "blocks": ["attention"]})
    assert choose("norm.weight", (64,), "Q4_0", config) == Choice("F32", "F32")


@pytest.mark.parametrize("kind", ["F32", "F16", "Q8_0", "Q6_K", "Q5_1", "Q5_0", "Q4_K", "Q4_1"])
def test_the_size_is_known_before(kind: str) -> None:
    values = np.random.default_rng(0).normal(size=(6, 512))
    packed = pack("x", values, kind)
    assert packed.nbytes == Choice(kind, kind).bytes(values.shape)
    found = gguf.dequantize(packed, gguf.GGMLQuantizationType[kind])
    assert np.abs(found - values).max() < 0.5


def test_numbers_too_large_for_sixteen_bits_are_refused() -> None:
    values = np.full((1, 256), 1e5, np.float32)
    assert pack("x", values, "F32").max() == values.max()
    for kind in ("F16", "Q8_0", "Q4_K"):
        with pytest.raises(UsageError, match=rf"x has a number of 1e\+05.* for {kind}"):
            pack("x", values, kind)


def test_other_kinds_are_refused() -> None:
    for kind in KINDS:
        check_kind(kind)
    with pytest.raises(UsageError, match="Q3_K"):
        check_kind("Q3_K")
