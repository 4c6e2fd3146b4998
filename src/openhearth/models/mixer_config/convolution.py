"""Convolutions, short and as long as the text, and their settings."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from openhearth.models.mixer_config.part import MixerPart, Shapes


class ShortConv(MixerPart):
    """A convolution over the last `kernel` tokens between two gates (LFM2, Liquid AI 2025).

    out(c * conv(b * x)), where b, c and x, each as wide as the model, come from the token itself.
    """

    name: Literal["short_conv"] = "short_conv"
    kernel: Annotated[int, Field(ge=2, le=64)] = 3
    bias: bool = False

    def state_shapes(self, width: int) -> Shapes:
        return {"tail": (self.kernel - 1, width)}


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
