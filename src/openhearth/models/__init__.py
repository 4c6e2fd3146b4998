"""Models: architectures from interchangeable layers; weights in from Hugging Face and GGUF.

In: a model's description, its weights and tokens. Out: hidden states and logits, for training
(flat batches of whole documents) and for decoding (the same with state kept in pages). It owns the
layers, the names of weights, and adapters in `peft`'s layout. Importing it needs the extra `torch`.
"""

from openhearth.errors import MissingExtra

try:
    from openhearth.models.catalogue import CATALOGUE, find, pull
    from openhearth.models.config import MLP, Attention, Block, ModelConfig, SwiGLU
    from openhearth.models.load import base_of, import_model, load_model, open_model
    from openhearth.models.lora import (
        LoraConfig,
        add_adapter,
        load_adapter,
        read_adapter,
        save_adapter,
    )
    from openhearth.models.model import Model
    from openhearth.models.precision import choose
    from openhearth.models.ragged import Piece, Ragged
    from openhearth.models.score import answer_nats
except ModuleNotFoundError as error:
    if error.name != "torch":
        raise
    raise MissingExtra("torch", "torch") from error

__all__ = [
    "CATALOGUE",
    "MLP",
    "Attention",
    "Block",
    "LoraConfig",
    "Model",
    "ModelConfig",
    "Piece",
    "Ragged",
    "SwiGLU",
    "add_adapter",
    "answer_nats",
    "base_of",
    "choose",
    "find",
    "import_model",
    "load_adapter",
    "load_model",
    "open_model",
    "pull",
    "read_adapter",
    "save_adapter",
]
