"""What fine-tuning may ask for, in the shape of Together's `/v1/fine-tunes/models/limits`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel

from openhearth.platform.errors import bad_request
from openhearth.store import Artifact

if TYPE_CHECKING:
    from openhearth.models import ModelConfig

SHORTEST, LONGEST = 64, 4096  # tokens of an example


class BatchLimits(BaseModel):
    """Examples, or packed rows, of a step before accumulation."""

    min_batch_size: int = 1
    max_batch_size: int = 16
    max_batch_size_dpo: int = 8


class LoraLimits(BatchLimits):
    """Those of adapters."""

    default_rank: int = 16
    max_rank: int = 512
    target_modules: list[str]


class Limits(BaseModel):
    """Bounds of one model."""

    model_name: str
    max_seq_length_sft: int
    max_seq_length_dpo: int
    min_max_seq_length: int = SHORTEST
    min_learning_rate: float = 0.0
    max_learning_rate: float = 1.0
    max_num_epochs: int = 1000
    max_num_evals: int = 1000
    max_num_checkpoints: int = 100
    default_gradient_accumulation_steps: int = 1
    lora_training: LoraLimits
    full_training: BatchLimits = BatchLimits()
    supports_full_training: bool = True
    supports_reasoning: bool = False
    supports_tools: bool = True
    supports_vision: bool = False
    merge_output_lora: bool = False


def limits_of(name: str, model: Artifact) -> Limits:
    """Of a model in the store."""
    from openhearth.models import config_of

    config = config_of(model)
    return Limits(
        model_name=name,
        max_seq_length_sft=longest(config),
        max_seq_length_dpo=longest(config),
        lora_training=LoraLimits(target_modules=_matrices(config)),
    )


def longest(config: ModelConfig) -> int:
    """The tokens that an example of a model may have; what is beyond them is cut."""
    return min(config.context_length, LONGEST)


def _matrices(config: ModelConfig) -> list[str]:
    """What the family calls the matrices that can carry an adapter."""
    # Here and in this whole folder late: what needs torch keeps no server from starting.
    import torch

    from openhearth.models import Model
    from openhearth.models.names import translate

    with torch.device("meta"):
        model = Model(config)
    named = (translate(path, config.names) for path, _ in model.linears())
    return sorted({name.rpartition(".")[2] for name in named})


def within(name: str, value: float, least: float, most: float) -> None:
    """Raise a 400 if a field's value is out of its bounds, which belong to it."""
    if not least <= value <= most:
        raise bad_request(f"{name} is {value}, but must be between {least} and {most}.", name)
