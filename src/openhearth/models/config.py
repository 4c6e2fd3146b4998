"""What a model is: a list of blocks, each a sequence mixer and a channel mixer chosen by name."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from openhearth.errors import UsageError

MOST_BLOCKS, LARGEST_HEAD = 1024, 4096  # beyond every model there is


def bounded(value: int, most: int) -> int:
    """`value`, which a foreign file claims and which memory is about to be spent on.

    Raises:
        ValueError: it is not between 1 and `most`.
    """
    if not 1 <= value <= most:
        raise ValueError(f"{value} is not between 1 and {most}")
    return value


class Part(BaseModel):
    """A piece of a model's description: frozen, and unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Attention(Part):
    """Grouped-query attention with rotary positions (RoPE, Su et al. 2021, arXiv:2104.09864).

    `rope_factors` divide the rotary frequencies, one each, which expresses every static way of
    stretching a context (linear, Llama 3.1). `bias` is on q, k and v, as in Qwen2.
    """

    name: Literal["attention"] = "attention"
    heads: Annotated[int, Field(gt=0)]
    kv_heads: Annotated[int, Field(gt=0)]
    head_dim: Annotated[int, Field(gt=0, le=LARGEST_HEAD, multiple_of=2)]
    rope_theta: Annotated[float, Field(gt=0)] = 10000.0
    rope_factors: tuple[Annotated[float, Field(gt=0)], ...] | None = None
    bias: bool = False

    @model_validator(mode="after")
    def _groups_are_whole(self) -> Attention:
        if self.heads % self.kv_heads:
            raise ValueError(f"{self.heads} heads cannot share {self.kv_heads} kv_heads evenly")
        if self.rope_factors is not None and len(self.rope_factors) != self.head_dim // 2:
            raise ValueError(f"rope_factors must be {self.head_dim // 2} numbers")
        return self


class SwiGLU(Part):
    """The gated feed-forward layer of Llama (Shazeer 2020, arXiv:2002.05202)."""

    name: Literal["swiglu"] = "swiglu"
    hidden: Annotated[int, Field(gt=0)]


class Block(Part):
    """Norm and sequence mixer, then norm and channel mixer, each added to the residual stream."""

    mixer: Attention
    channel: SwiGLU


class ModelConfig(Part):
    """The description from which a model is built. `context_length` is in tokens."""

    vocab_size: Annotated[int, Field(gt=0)]
    width: Annotated[int, Field(gt=0)]
    context_length: Annotated[int, Field(gt=0)]
    norm_eps: Annotated[float, Field(gt=0)] = 1e-5
    tied_head: bool = False
    blocks: Annotated[tuple[Block, ...], Field(min_length=1, max_length=MOST_BLOCKS)]

    @classmethod
    def from_json(cls, data: bytes) -> ModelConfig:
        """Read a description.

        Raises:
            UsageError: it is not one; the text says where.
        """
        try:
            return cls.model_validate_json(data)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "the whole"
            raise UsageError(f"The model's config is wrong at {where}: {first['msg']}.") from error
