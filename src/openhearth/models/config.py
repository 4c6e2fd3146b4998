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
    def numbers_per_token(self) -> int:
        """The keys and values of one token of one sequence."""
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


class Block(Part):
    """A sequence mixer and a channel mixer, each added to the residual stream."""

    mixer: Attention
    channel: Annotated[SwiGLU | MLP, Field(discriminator="name")]


class ModelConfig(Part):
    """The description from which a model is built. `context_length` is in tokens.

    `norms` says where the norms of a block stand: x + f(norm(x)) is `pre` (Llama), x + norm(f(
    norm(x))) is `sandwich` (Gemma), norm(x + f(x)) is `post` (BERT, whose embedding has a norm too,
    and whose last block needs none after it). The embedding is multiplied by `embed_factor`; with
    `positions` a learned vector for each position is added to it, and with `segments` that of the
    first of so many kinds of text. `family` tells what files and adapters call the weights.
    """

    vocab_size: Annotated[int, Field(gt=0)]
    width: Annotated[int, Field(gt=0)]
    context_length: Annotated[int, Field(gt=0)]
    norm: Literal["rms", "layer"] = "rms"
    norms: Literal["pre", "sandwich", "post"] = "pre"
    norm_eps: Annotated[float, Field(gt=0)] = 1e-5
    embed_factor: Annotated[float, Field(gt=0)] = 1.0
    positions: bool = False
    segments: Annotated[int, Field(ge=0)] = 0
    tied_head: bool = False
    family: Literal["llama", "gemma3", "bert"] = "llama"
    blocks: Annotated[tuple[Block, ...], Field(min_length=1, max_length=MOST_BLOCKS)]

    @property
    def causal(self) -> bool:
        """Whether it can write text; otherwise it is an encoder, and its logits mean nothing."""
        return all(block.mixer.causal for block in self.blocks)

    def check_writes(self) -> None:
        """Raises:
        UsageError: the model is an encoder.
        """
        if not self.causal:
            raise UsageError("This model is an encoder, which makes vectors: it writes no text.")

    def check_encodes(self) -> None:
        """Raises:
        UsageError: the model is no encoder.
        """
        if self.causal:
            raise UsageError("This model writes text: to make vectors, use an encoder.")

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
