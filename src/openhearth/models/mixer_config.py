"""What sequence mixers there are, and their settings; the layers are in `mixers/`."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from openhearth.models.part import LARGEST_HEAD, Part

Shapes = dict[str, tuple[int, ...]]


class MixerPart(Part):
    """A sequence mixer's settings, and what it keeps of a sequence for the tokens to come."""

    @property
    def is_causal(self) -> bool:
        """Whether a token sees only itself and those before it."""
        return True

    @property
    def numbers_per_token(self) -> int:
        """What it keeps of every token, for ever: keys and values."""
        return 0

    def state_shapes(self, width: int) -> Shapes:
        """What it keeps of a sequence, however long, in a model of this width: arrays of fp32."""
        return {}


class Attention(MixerPart):
    """Grouped-query attention with rotary positions (RoPE, Su et al. 2021, arXiv:2104.09864).

    `rope_factors` divide the rotary frequencies, one each, which expresses every static way of
    stretching a context (linear, Llama 3.1). `bias` is on q, k and v, as in Qwen2. A token sees
    itself and, without `window`, all before it, or with it the `window` - 1 before it; if not
    `causal`, the whole text.
    """

    name: Literal["attention"] = "attention"
    heads: Annotated[int, Field(gt=0)]
    kv_heads: Annotated[int, Field(gt=0)]
    head_dim: Annotated[int, Field(gt=0, le=LARGEST_HEAD, multiple_of=2)]
    rope_theta: Annotated[float, Field(gt=0)] | None = 10000.0  # None: no rotation
    rope_factors: tuple[Annotated[float, Field(gt=0)], ...] | None = None
    bias: bool = False
    output_bias: bool = False
    qk_norm: bool = False  # RMS norm over each head of q and k, before the rotation
    scale: Annotated[float, Field(gt=0)] | None = None  # of q·k; None: head_dim ** -0.5
    window: Annotated[int, Field(gt=0)] | None = None
    causal: bool = True

    @property
    def is_causal(self) -> bool:
        return self.causal

    @property
    def numbers_per_token(self) -> int:
        return 2 * self.kv_heads * self.head_dim

    @model_validator(mode="after")
    def _fits_together(self) -> Attention:
        if self.heads % self.kv_heads:
            raise ValueError(f"{self.heads} heads cannot share {self.kv_heads} kv_heads evenly")
        if self.rope_factors is not None and len(self.rope_factors) != self.head_dim // 2:
            raise ValueError(f"rope_factors must be {self.head_dim // 2} numbers")
        if self.window is not None and not self.causal:
            raise ValueError("a window is for causal attention only")
        return self


class RWKV7(MixerPart):
    """The time mixing of RWKV-7 (Peng et al. 2025, arXiv:2503.14456), without what later blocks
    there take from the values of the first.

    The memory of a head fades channel by channel, and what it says of a key is taken out at a rate
    for each channel. The ranks are those of the pairs of matrices that give the fading, the rates
    and the gate.
    """

    name: Literal["rwkv7"] = "rwkv7"
    heads: Annotated[int, Field(gt=0)]
    head_dim: Annotated[int, Field(gt=1, le=LARGEST_HEAD)] = 64
    decay_rank: Annotated[int, Field(gt=0)] = 64
    rate_rank: Annotated[int, Field(gt=0)] = 64
    gate_rank: Annotated[int, Field(gt=0)] = 128

    def state_shapes(self, width: int) -> Shapes:
        return {"last": (width,), "state": (self.heads, self.head_dim, self.head_dim)}


class ShortConv(MixerPart):
    """A convolution over the last `kernel` tokens between two gates (LFM2, Liquid AI 2025).

    out(c * conv(b * x)), where b, c and x, each as wide as the model, come from the token itself.
    """

    name: Literal["short_conv"] = "short_conv"
    kernel: Annotated[int, Field(ge=2, le=64)] = 3
    bias: bool = False

    def state_shapes(self, width: int) -> Shapes:
        return {"tail": (self.kernel - 1, width)}


class GatedDelta(MixerPart):
    """Gated DeltaNet (Yang et al. 2024, arXiv:2412.06464), as in Qwen3-Next and OLMo-hybrid.

    A memory of each of `heads` heads, from keys of `key_dim` to values of `value_dim` numbers,
    fades, and is corrected where it says something else of a key than what comes; `key_heads` heads
    of keys are shared. With `negative`, it may be corrected twice over (arXiv:2411.12537).
    `matrices` says which parts of what comes in are made by one matrix: `joint` as in Qwen3.5,
    `by_head` as in Qwen3-Next, where those of a head lie together, and `apart` as in OLMo-hybrid.
    """

    name: Literal["gated_delta"] = "gated_delta"
    heads: Annotated[int, Field(gt=0)]
    key_heads: Annotated[int, Field(gt=0)]
    key_dim: Annotated[int, Field(gt=0, le=LARGEST_HEAD)]
    value_dim: Annotated[int, Field(gt=0, le=LARGEST_HEAD)]
    kernel: Annotated[int, Field(ge=2, le=64)] = 4
    negative: bool = False
    matrices: Literal["joint", "by_head", "apart"] = "joint"
    norm_eps: Annotated[float, Field(gt=0)] | None = None  # of the last norm; None: the model's

    @property
    def sizes(self) -> dict[str, int]:
        """Of each part that comes in, the numbers for one head of keys: queries, keys, values, the
        gate z, the corrections' shares b, and the size a of the fading.
        """
        shared = self.heads // self.key_heads
        values = shared * self.value_dim
        keys = self.key_dim
        return {"q": keys, "k": keys, "v": values, "z": values, "b": shared, "a": shared}

    @property
    def made(self) -> tuple[str, ...]:
        """The matrices, each called by the parts that it makes."""
        return {
            "joint": ("qkv", "z", "b", "a"),
            "by_head": ("qkvz", "ba"),
            "apart": ("q", "k", "v", "z", "b", "a"),
        }[self.matrices]

    @property
    def convolved(self) -> int:
        """Channels of the convolution: queries, keys and values."""
        return 2 * self.key_heads * self.key_dim + self.heads * self.value_dim

    def state_shapes(self, width: int) -> Shapes:
        return {
            "tail": (self.kernel - 1, self.convolved),
            "state": (self.heads, self.key_dim, self.value_dim),
        }

    @model_validator(mode="after")
    def _fits_together(self) -> GatedDelta:
        if self.heads % self.key_heads:
            raise ValueError(f"{self.heads} heads cannot share {self.key_heads} key_heads evenly")
        return self


class Mamba(MixerPart):
    """Mamba's selective state space (Gu & Dao 2023, arXiv:2312.00752).

    Each of `inner` channels keeps `state` numbers, which decay and take up what comes as the token
    itself says. `step_rank` is the rank of the matrix that gives the size of the steps; `norms` are
    those of Jamba, on what gives the step and on what is written and read.
    """

    name: Literal["mamba"] = "mamba"
    inner: Annotated[int, Field(gt=0)]
    state: Annotated[int, Field(gt=0, le=LARGEST_HEAD)] = 16
    step_rank: Annotated[int, Field(gt=0)]
    kernel: Annotated[int, Field(ge=2, le=64)] = 4
    bias: bool = False
    conv_bias: bool = True
    norms: bool = False

    def state_shapes(self, width: int) -> Shapes:
        return {"tail": (self.kernel - 1, self.inner), "state": (self.inner, self.state)}


class Mamba2(MixerPart):
    """Mamba-2's state space, whose heads forget as a whole (Dao & Gu 2024, arXiv:2405.21060).

    A head keeps `head_dim` times `state` numbers. What is written and read of them is the same for
    the heads of a group. Steps are held between `least_step` and `most_step`; the norm before the
    last matrix is over each of `norm_groups` parts of the channels by itself.
    """

    name: Literal["mamba2"] = "mamba2"
    heads: Annotated[int, Field(gt=0)]
    head_dim: Annotated[int, Field(gt=0, le=LARGEST_HEAD)] = 64
    state: Annotated[int, Field(gt=0, le=LARGEST_HEAD)] = 128
    groups: Annotated[int, Field(gt=0)] = 1
    norm_groups: Annotated[int, Field(gt=0)] = 1
    kernel: Annotated[int, Field(ge=2, le=64)] = 4
    bias: bool = False
    conv_bias: bool = True
    least_step: Annotated[float, Field(ge=0)] = 0.0
    most_step: Annotated[float, Field(gt=0)] | None = None

    @property
    def inner(self) -> int:
        """Channels inside."""
        return self.heads * self.head_dim

    @property
    def convolved(self) -> int:
        """Channels of the convolution: what goes in, and what is written and read by each group."""
        return self.inner + 2 * self.groups * self.state

    def state_shapes(self, width: int) -> Shapes:
        return {
            "tail": (self.kernel - 1, self.convolved),
            "state": (self.heads, self.head_dim, self.state),
        }

    @model_validator(mode="after")
    def _fits_together(self) -> Mamba2:
        if self.heads % self.groups:
            raise ValueError(f"{self.heads} heads cannot be in {self.groups} groups evenly")
        if self.inner % self.norm_groups:
            raise ValueError(
                f"{self.inner} channels cannot be in {self.norm_groups} norm_groups evenly"
            )
        return self


class GatedConv(MixerPart):
    """A convolution with a modal filter between two gates (StripedHyena, Together 2023).

    The filter of each channel is a sum of `modes`, which is what a sequence keeps; before it and
    the gates is a convolution over `kernel` tokens. `heads` says in how many groups the channels
    of gates and values stand beside each other (`column_split_hyena`): with 1, in three blocks.
    """

    name: Literal["gated_conv"] = "gated_conv"
    modes: Annotated[int, Field(gt=0, le=256)] = 2
    kernel: Annotated[int, Field(ge=2, le=64)] = 3
    heads: Annotated[int, Field(gt=0)] = 1
    bias: bool = True

    def state_shapes(self, width: int) -> Shapes:
        return {"tail": (self.kernel - 1, 3 * width), "modes": (width, self.modes, 2)}


class FilterNet(MixerPart):
    """Filters of `taps` tokens that a network of width `hidden` makes from the time, given to it as
    so many `features`: one, and two for each frequency. `frequency` is that of the sines in it
    when training begins, and `shift` what its fading window leaves (Hyena, arXiv:2302.10866).
    """

    taps: Annotated[int, Field(ge=2, le=2**20)]
    hidden: Annotated[int, Field(gt=0, le=4096)] = 64
    features: Annotated[int, Field(ge=3, le=65)] = 5
    frequency: Annotated[float, Field(gt=0)] = 10.0
    shift: Annotated[float, Field(ge=0)] = 0.0

    @model_validator(mode="after")
    def _is_odd(self) -> Self:
        if self.features % 2 == 0:
            raise ValueError(f"features are one and two for each frequency, not {self.features}")
        return self


class Hyena(FilterNet):
    """A convolution with an implicit filter between two gates (Poli et al. 2023), of order 2.

    A token sees the `taps` - 1 before it, which decoding keeps; before filter and gates is a
    convolution over `kernel` tokens.
    """

    name: Literal["hyena"] = "hyena"
    kernel: Annotated[int, Field(ge=2, le=64)] = 3

    def state_shapes(self, width: int) -> Shapes:
        return {"tail": (self.kernel - 1, 3 * width), "inputs": (self.taps - 1, width)}


class Monarch(FilterNet):
    """The mixer of M2-BERT (Fu et al. 2023): as Hyena, but seeing what comes after a token too.

    With `residual` a second convolution, of the layer's input itself, is added.
    """

    name: Literal["monarch"] = "monarch"
    hidden: Annotated[int, Field(gt=0, le=4096)] = 128
    kernel: Annotated[int, Field(ge=2, le=64)] = 3
    residual: bool = True

    @property
    def is_causal(self) -> bool:
        return False


Mixer = Annotated[
    Attention | GatedConv | GatedDelta | Hyena | Mamba | Mamba2 | Monarch | RWKV7 | ShortConv,
    Field(discriminator="name"),
]
