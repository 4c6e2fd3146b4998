"""What channel mixers there are, and their settings; the layers are in `channels/`."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from openhearth.models.part import Part

Count = Annotated[int, Field(gt=0)]


class SwiGLU(Part):
    """The gated feed-forward layer of Llama, and of Gemma with GELU (arXiv:2002.05202)."""

    name: Literal["swiglu"] = "swiglu"
    hidden: Count
    activation: Literal["silu", "gelu", "gelu_tanh"] = "silu"
    bias: bool = False


class MLP(Part):
    """Two matrices and what stands between them: GELU in BERT, squared ReLU in Primer."""

    name: Literal["mlp"] = "mlp"
    hidden: Count
    activation: Literal["gelu", "gelu_tanh", "relu2"] = "gelu"
    bias: bool = True


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


class MoE(Part):
    """A mixture of `experts` gated feed-forward layers, of which each token takes `active`.

    A token's scores are the softmax (Mixtral, arXiv:2401.04088) or the sigmoid (DeepSeek-V3,
    arXiv:2412.19437) of its products with the router's rows. It takes the experts with the best
    scores, to which with `biased` each expert's bias is added for the choice alone; of `groups` of
    experts, only those in its best `active_groups`, each as good as its best two. What the experts
    make is weighted by the scores, which with `normalised` add up to one, times `factor`.

    Every token also takes a gated layer of `shared` numbers, if there is one, with `shared_gate`
    multiplied by a sigmoid of its own (Qwen2-MoE). Experts carry no adapters, as in `peft`: a
    token would use few of them, and each sees few tokens; the shared layer does.
    """

    name: Literal["moe"] = "moe"
    hidden: Count  # of each expert
    experts: Annotated[int, Field(gt=1, le=4096)]
    active: Count
    activation: Literal["silu", "gelu", "gelu_tanh"] = "silu"
    score: Literal["softmax", "sigmoid"] = "softmax"
    normalised: bool = True
    factor: Annotated[float, Field(gt=0)] = 1.0
    biased: bool = False
    groups: Count = 1
    active_groups: Count = 1
    shared: Annotated[int, Field(ge=0)] = 0
    shared_gate: bool = False

    @model_validator(mode="after")
    def _fits_together(self) -> MoE:
        if self.experts % self.groups:
            raise ValueError(f"{self.experts} experts are no {self.groups} groups of equal size")
        size = self.experts // self.groups
        if self.groups > 1 and size < 2:
            raise ValueError("a group needs two experts")
        if self.active_groups > self.groups:
            raise ValueError(f"a token cannot take {self.active_groups} of {self.groups} groups")
        if self.active > size * self.active_groups:
            raise ValueError(
                f"a token cannot take {self.active} of {size * self.active_groups} experts"
            )
        if self.shared_gate and not self.shared:
            raise ValueError("a shared_gate needs a shared layer")
        return self


Channel = Annotated[SwiGLU | MLP | MonarchMLP | MoE, Field(discriminator="name")]
