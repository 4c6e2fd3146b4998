"""Models: architectures from interchangeable layers; weights in from Hugging Face and GGUF.

In: a model's description, its weights and tokens. Out: hidden states and logits, for training
(flat batches of whole documents) and for decoding (the same with state kept in pages). It owns the
layers, the names of weights, and adapters in `peft`'s layout. What computes with torch is imported
when it is used; describing and reading models needs no torch.
"""

from typing import TYPE_CHECKING

from openhearth.door import lazily

if TYPE_CHECKING:
    from openhearth.models.adapter_files import check_adapter, import_adapter, read_adapter
    from openhearth.models.catalogue import CATALOGUE, find, pull
    from openhearth.models.channel_config import MLP, MoE, MonarchMLP, SwiGLU
    from openhearth.models.config import Block, ModelConfig
    from openhearth.models.load import import_model, load_model
    from openhearth.models.lora import (
        LoraConfig,
        add_adapter,
        go_on_with_adapter,
        load_adapter,
        low_ranks,
        save_adapter,
    )
    from openhearth.models.mixer_config import (
        RWKV7,
        Attention,
        GatedConv,
        GatedDelta,
        Hyena,
        Mamba,
        Mamba2,
        Monarch,
        ShortConv,
    )
    from openhearth.models.model import Model
    from openhearth.models.precision import choose
    from openhearth.models.ragged import Piece, Ragged
    from openhearth.models.save import save_model
    from openhearth.models.score import answer_nats
    from openhearth.models.stored import base_of, config_of, open_model, writes_text

__all__ = [
    "CATALOGUE",
    "MLP",
    "RWKV7",
    "Attention",
    "Block",
    "GatedConv",
    "GatedDelta",
    "Hyena",
    "LoraConfig",
    "Mamba",
    "Mamba2",
    "MoE",
    "Model",
    "ModelConfig",
    "Monarch",
    "MonarchMLP",
    "Piece",
    "Ragged",
    "ShortConv",
    "SwiGLU",
    "add_adapter",
    "answer_nats",
    "base_of",
    "check_adapter",
    "choose",
    "config_of",
    "find",
    "go_on_with_adapter",
    "import_adapter",
    "import_model",
    "load_adapter",
    "load_model",
    "low_ranks",
    "open_model",
    "pull",
    "read_adapter",
    "save_adapter",
    "save_model",
    "writes_text",
]

__getattr__ = lazily(
    __name__,
    {
        "Attention": "mixer_config",
        "Block": "config",
        "CATALOGUE": "catalogue",
        "GatedConv": "mixer_config",
        "GatedDelta": "mixer_config",
        "Hyena": "mixer_config",
        "LoraConfig": "lora",
        "MLP": "channel_config",
        "Mamba": "mixer_config",
        "Mamba2": "mixer_config",
        "MoE": "channel_config",
        "Model": "model",
        "ModelConfig": "config",
        "Monarch": "mixer_config",
        "MonarchMLP": "channel_config",
        "Piece": "ragged",
        "RWKV7": "mixer_config",
        "Ragged": "ragged",
        "ShortConv": "mixer_config",
        "SwiGLU": "channel_config",
        "add_adapter": "lora",
        "answer_nats": "score",
        "base_of": "stored",
        "check_adapter": "adapter_files",
        "choose": "precision",
        "config_of": "stored",
        "find": "catalogue",
        "go_on_with_adapter": "lora",
        "import_adapter": "adapter_files",
        "import_model": "load",
        "load_adapter": "lora",
        "load_model": "load",
        "low_ranks": "lora",
        "open_model": "stored",
        "pull": "catalogue",
        "read_adapter": "adapter_files",
        "save_adapter": "lora",
        "save_model": "save",
        "writes_text": "stored",
    },
    extras={"gguf": "torch", "torch": "torch"},
)
