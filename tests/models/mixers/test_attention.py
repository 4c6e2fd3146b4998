"""Attention's options: those of `transformers` where it has them, in every form of computing."""

from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError
from transformers import GptOssConfig
from transformers.models.gpt_oss.modeling_gpt_oss import GptOssAttention, GptOssRotaryEmbedding

from openhearth.models import Attention, Piece, Ragged
from openhearth.models.mixers.attention import GroupedQueryAttention
from tests.models.mixers.forms import WIDTH, assert_near, random_mixer

SIZES = {"heads": 4, "kv_heads": 2, "head_dim": 8}
OPTIONS = {
    "sinks": {"sinks": True},
    "sinks in a window": {"sinks": True, "window": 7},
    "soft cap": {"softcap": 0.5},
    "soft cap in a window": {"softcap": 0.5, "window": 7},
    "partial rotation": {"rotary": 4, "rope_factors": (1.0, 3.0)},
    "everything": {"softcap": 2.0, "sinks": True, "rotary": 2, "qk_norm": True, "scale": 0.5},
}
GATED = {
    "gates": {"gated": True},
    "gates and everything": {"gated": True, "qk_norm": True, "rotary": 4, "window": 7},
}
LENGTH, PAGE = 30, 8


def inputs() -> torch.Tensor:
    return torch.randn(LENGTH, WIDTH, generator=torch.Generator().manual_seed(1))


@torch.inference_mode()
@pytest.mark.parametrize("cuts", [[13, 1, 1, 12, 3], [1] * LENGTH], ids=["chunks", "tokens"])
@pytest.mark.parametrize("options", OPTIONS | GATED)
def test_forms_agree(options: str, cuts: list[int]) -> None:
    mixer = random_mixer(Attention(**SIZES, **(OPTIONS | GATED)[options]))
    x, done, parts = inputs(), 0, []
    state = mixer.new_state(5, PAGE, 0, torch.float32)
    for cut in cuts:
        piece = Piece(cut, done, [3, 0, 4, 1][: -(-(done + cut) // PAGE)])
        parts.append(mixer(x[done : done + cut], Ragged([piece]), state))
        done += cut
    assert_near(torch.cat(parts), mixer(x, Ragged([Piece(LENGTH)]), None), 1e-5)


@torch.inference_mode()
@pytest.mark.parametrize("options", OPTIONS)
def test_options_change_the_result(options: str) -> None:
    plain = random_mixer(Attention(**SIZES))
    changed = random_mixer(Attention(**SIZES, **OPTIONS[options]))
    changed.load_state_dict(plain.state_dict(), strict=False)
    batch = Ragged([Piece(LENGTH)])
    assert (changed(inputs(), batch, None) - plain(inputs(), batch, None)).abs().max() > 0.01


@torch.inference_mode()
def test_gates_multiply_what_comes_out() -> None:
    """With the gates' rows zero, every sigmoid is a half."""
    plain, gated = random_mixer(Attention(**SIZES)), random_mixer(Attention(**SIZES, gated=True))
    weights = plain.state_dict()
    queries = weights["q.weight"].view(4, 8, WIDTH)
    weights["q.weight"] = torch.cat((queries, 0 * queries), dim=1).flatten(0, 1)
    gated.load_state_dict(weights)
    batch = Ragged([Piece(LENGTH)])
    assert_near(gated(inputs(), batch, None), plain(inputs(), batch, None) / 2, 1e-5)


@torch.inference_mode()
@pytest.mark.parametrize("window", [None, 7])
def test_sinks_are_those_of_gpt_oss(window: int | None) -> None:
    ours = random_mixer(Attention(**SIZES, bias=True, output_bias=True, sinks=True, window=window))
    config = GptOssConfig(
        hidden_size=WIDTH,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=8,
        num_hidden_layers=1,
        sliding_window=window,
        layer_types=["sliding_attention" if window else "full_attention"],
        rope_parameters={"rope_type": "default", "rope_theta": 1e4},
        attn_implementation="eager",
    )
    theirs = GptOssAttention(config, 0)
    state = {name.replace(".", "_proj."): value for name, value in ours.state_dict().items()}
    theirs.load_state_dict(state)
    x, at = inputs(), torch.arange(LENGTH)
    seen = at[:, None] >= at
    if window:
        seen &= at[:, None] - at < window
    mask = torch.zeros(LENGTH, LENGTH).masked_fill(~seen, -torch.inf)
    angles = GptOssRotaryEmbedding(config)(x[None], at[None])
    expected, _ = theirs(x[None], angles, mask[None, None])
    assert_near(ours(x, Ragged([Piece(LENGTH)]), None), expected[0], 1e-5)


@torch.inference_mode()
def test_a_window_on_both_sides_sees_no_further() -> None:
    mixer = random_mixer(Attention(**SIZES, causal=False, window=5))
    assert isinstance(mixer, GroupedQueryAttention)
    x, batch = inputs(), Ragged([Piece(LENGTH)])
    before = mixer(x, batch, None)
    x[15] += 1
    changed = (mixer(x, batch, None) - before).abs().amax(1) > 1e-6
    assert changed.nonzero().flatten().tolist() == list(range(11, 20))


def test_what_an_attention_costs() -> None:
    assert Attention(**SIZES).flops(100) == 4 * 4 * 8 * 100
    assert Attention(**SIZES, window=7).flops(100) == 4 * 4 * 8 * 7
    assert Attention(**SIZES, window=7, causal=False).flops(100) == 4 * 4 * 8 * 13


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"rotary": 16}, "cannot rotate"),
        ({"rotary": 4, "rope_factors": (1.0,) * 4}, "must be 2 numbers"),
    ],
)
def test_what_does_not_fit_together_is_refused(wrong: dict[str, object], text: str) -> None:
    with pytest.raises(ValidationError, match=text):
        Attention(**SIZES, **wrong)
