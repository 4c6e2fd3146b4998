"""State spaces and delta rules, and their settings."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from openhearth.models.mixer_config.part import MixerPart, Shapes
from openhearth.models.part import LARGEST_HEAD


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
