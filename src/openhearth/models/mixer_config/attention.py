"""Attention, and its settings."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from openhearth.models.mixer_config.part import MixerPart
from openhearth.models.part import LARGEST_HEAD


class Attention(MixerPart):
    """Grouped-query attention with rotary positions (RoPE, Su et al. 2021, arXiv:2104.09864).

    `rope_factors` divide the rotary frequencies, one each, which expresses every static way of
    stretching a context (linear, Llama 3.1). `bias` is on q, k and v, as in Qwen2. A token sees
    itself and, without `window`, all before it, or with it the `window` - 1 before it; if not
    `causal`, those after it too.

    With `qk_norm`, q and k have an RMS norm before they rotate, each head by itself, or all heads
    as one vector if it is `joint` (OLMo 2, arXiv:2501.00656). Of each head the first `rotary`
    numbers are rotated, all if None. With `softcap` c, a score s becomes c * tanh(s / c) (Gemma 2).
    With `sinks`, each head has a score of its own for nothing, into which attention may go (as in
    GPT-OSS; Xiao et al. 2023, arXiv:2309.17453). If `gated`, q also makes a gate for each head,
    behind its query, whose sigmoid multiplies what comes out (Qwen3-Next; Qiu et al. 2025,
    arXiv:2505.06708).
    """

    name: Literal["attention"] = "attention"
    heads: Annotated[int, Field(gt=0)]
    kv_heads: Annotated[int, Field(gt=0)]
    head_dim: Annotated[int, Field(gt=0, le=LARGEST_HEAD, multiple_of=2)]
    rope_theta: Annotated[float, Field(gt=0)] | None = 10000.0  # None: no rotation
    rope_factors: tuple[Annotated[float, Field(gt=0)], ...] | None = None
    bias: bool = False
    output_bias: bool = False
    qk_norm: bool | Literal["joint"] = False
    scale: Annotated[float, Field(gt=0)] | None = None  # of q·k; None: head_dim ** -0.5
    window: Annotated[int, Field(gt=0)] | None = None
    causal: bool = True
    rotary: Annotated[int, Field(gt=0, multiple_of=2)] | None = None
    softcap: Annotated[float, Field(gt=0)] | None = None
    sinks: bool = False
    gated: bool = False

    @property
    def is_causal(self) -> bool:
        return self.causal

    @property
    def rotated(self) -> int:
        """How many numbers of a head are."""
        return self.rotary or self.head_dim

    def flops(self, context: int) -> int:
        """What a token at the end of so many costs beyond the matrices: q·k, and the mixture."""
        seen = context
        if self.window is not None:
            seen = min(context, self.window if self.causal else 2 * self.window - 1)
        return 4 * self.heads * self.head_dim * seen

    @property
    def numbers_per_token(self) -> int:
        return 2 * self.kv_heads * self.head_dim

    @model_validator(mode="after")
    def _fits_together(self) -> Attention:
        if self.heads % self.kv_heads:
            raise ValueError(f"{self.heads} heads cannot share {self.kv_heads} kv_heads evenly")
        if self.rotated > self.head_dim:
            raise ValueError(f"{self.rotary} numbers of a head of {self.head_dim} cannot rotate")
        if self.rope_factors is not None and len(self.rope_factors) != self.rotated // 2:
            raise ValueError(f"rope_factors must be {self.rotated // 2} numbers")
        return self
