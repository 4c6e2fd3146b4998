"""What channel mixers there are, and their settings; the layers are in `channels/`."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from openhearth.models.part import Part


class SwiGLU(Part):
    """The gated feed-forward layer of Llama, and of Gemma with GELU (arXiv:2002.05202)."""

    name: Literal["swiglu"] = "swiglu"
    hidden: Annotated[int, Field(gt=0)]
    activation: Literal["silu", "gelu_tanh"] = "silu"
    bias: bool = False


class MLP(Part):
    """The feed-forward layer of BERT: two matrices with biases and GELU between them."""

    name: Literal["mlp"] = "mlp"
    hidden: Annotated[int, Field(gt=0)]
    activation: Literal["gelu", "gelu_tanh"] = "gelu"


class MonarchMLP(Part):
    """The feed-forward layer of M2-BERT: gated by GELU, its matrices in `blocks` on a diagonal."""

    name: Literal["monarch_mlp"] = "monarch_mlp"
    hidden: Annotated[int, Field(gt=0)]
    blocks: Annotated[int, Field(gt=0)] = 4

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.hidden % self.blocks:
            raise ValueError(f"{self.blocks} blocks cannot share {self.hidden} hidden evenly")
        return self


Channel = Annotated[SwiGLU | MLP | MonarchMLP, Field(discriminator="name")]
