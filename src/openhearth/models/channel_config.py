"""What channel mixers there are, and their settings; the layers are in `channels/`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

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


Channel = Annotated[SwiGLU | MLP, Field(discriminator="name")]
