"""What a model is: a list of blocks, each a sequence mixer and a channel mixer chosen by name."""

from __future__ import annotations

from math import prod
from typing import Annotated, Literal

from pydantic import Field, ValidationError, field_validator

from openhearth.errors import UsageError
from openhearth.models.channel_config import Channel
from openhearth.models.mixer_config import Attention, GatedDelta, Mixer
from openhearth.models.names import HF, Table, numbered
from openhearth.models.part import MOST_BLOCKS, Part


class Block(Part):
    """A sequence mixer and, if there is one, a channel mixer, each added to the residual stream.

    `norms` says where its norms stand, if not where those of the model's other blocks do.
    """

    mixer: Mixer
    channel: Channel | None = None
    norms: Literal["pre", "after", "sandwich", "parallel"] | None = None


class ModelConfig(Part):
    """The description from which a model is built. `context_length` is in tokens.

    `norms` says where the norms of a block stand: x + f(norm(x)) is `pre` (Llama), x + norm(f(x))
    is `after` (OLMo 2), x + norm(f(norm(x))) is `sandwich` (Gemma), norm(x + f(x)) is `post` (BERT,
    whose last block needs none after it), x + mixer(norm(x)) + channel(norm(x)) is `parallel`
    (Phi). Those of kind `layer` have biases if `norm_bias`, `rms_outside` has epsilon outside the
    root. The embedding is multiplied by `embed_factor`; with `positions` a learned vector for each
    position is added to it, and with `segments` that of the first of so many kinds of text. With
    `embed_norm` it has a norm, which is that of the first mixer too (ModernBERT); where norms are
    `post` it always has one. With `logit_cap` c, a logit l becomes c * tanh(l / c) (Gemma 2).
    `family` tells what files and adapters call the weights: as we do, if `hearth`.
    """

    vocab_size: Annotated[int, Field(gt=0)]
    width: Annotated[int, Field(gt=0)]
    context_length: Annotated[int, Field(gt=0)]
    norm: Literal["rms", "rms_outside", "layer"] = "rms"
    norms: Literal["pre", "after", "sandwich", "post", "parallel"] = "pre"
    norm_eps: Annotated[float, Field(gt=0)] = 1e-5
    norm_bias: bool = True
    embed_norm: bool = False
    embed_factor: Annotated[float, Field(gt=0)] = 1.0
    positions: bool = False
    segments: Annotated[int, Field(ge=0)] = 0
    tied_head: bool = False
    head_bias: bool = False
    logit_cap: Annotated[float, Field(gt=0)] | None = None
    family: str = "llama"
    blocks: Annotated[tuple[Block, ...], Field(min_length=1, max_length=MOST_BLOCKS)]

    @field_validator("family")
    @classmethod
    def _has_names(cls, family: str) -> str:
        if family not in HF:
            raise ValueError(f"there are no names for {family!r}, only for {', '.join(HF)}")
        return family

    @property
    def names(self) -> Table:
        """What files and adapters call the weights."""
        return numbered(HF[self.family], [block.channel is not None for block in self.blocks])

    @property
    def causal(self) -> bool:
        """Whether it can write text; otherwise it is an encoder, and its logits mean nothing."""
        return all(block.mixer.is_causal for block in self.blocks)

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

    @property
    def state_numbers(self) -> int:
        """What the recurrent mixers keep of a sequence, however long it is, all fp32."""
        shapes = (block.mixer.state_shapes(self.width) for block in self.blocks)
        return sum(prod(shape) for of_one in shapes for shape in of_one.values())

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


def convolved_rows(config: ModelConfig, name: str) -> list[int]:
    """Rows for queries, keys and values in the convolution of a delta rule."""
    mixer = config.blocks[int(name.split(".")[1])].mixer
    assert isinstance(mixer, GatedDelta)
    return [mixer.key_heads * mixer.sizes[part] for part in "qkv"]


def outputs(config: ModelConfig, name: str) -> int:
    """Rows of the weight or bias of an attention's q, k or v, or of a channel's gate or up."""
    _, number, _, matrix, _ = name.split(".")
    block = config.blocks[int(number)]
    if matrix in ("q", "k", "v"):
        assert isinstance(block.mixer, Attention)
        heads = block.mixer.heads if matrix == "q" else block.mixer.kv_heads
        return heads * block.mixer.head_dim
    assert block.channel is not None
    return block.channel.hidden
