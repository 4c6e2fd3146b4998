"""What fine-tuning may ask for, in the shape of Together's `/v1/fine-tunes/models/limits`."""

from __future__ import annotations

from pydantic import BaseModel

from openhearth.models import config_of
from openhearth.platform.errors import bad_request
from openhearth.store import Artifact

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
    target_modules: tuple[str, ...] = ("all-linear",)


class Limits(BaseModel):
    """Bounds of one model. `all-linear` among the targets is all that there are."""

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
    lora_training: LoraLimits = LoraLimits()
    full_training: BatchLimits = BatchLimits()
    supports_full_training: bool = True
    supports_reasoning: bool = False
    supports_tools: bool = True
    supports_vision: bool = False
    merge_output_lora: bool = False


def limits_of(name: str, model: Artifact) -> Limits:
    """Of a model in the store."""
    length = min(config_of(model).context_length, LONGEST)
    return Limits(model_name=name, max_seq_length_sft=length, max_seq_length_dpo=length)


def within(name: str, value: float, least: float, most: float) -> None:
    """Raise a 400 if a field's value is out of its bounds, which belong to it."""
    if not least <= value <= most:
        raise bad_request(f"{name} is {value}, but must be between {least} and {most}.", name)
