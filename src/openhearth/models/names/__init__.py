"""What other formats call our weights. Tables, so that adding a format adds no code.

They name matrices, norms and embeddings; `.weight` and `.bias` are the same everywhere. `{i}` is
the number of a block.
"""

from __future__ import annotations

import re

from openhearth.models.names.bert import HF_BERT
from openhearth.models.names.gguf import GGUF
from openhearth.models.names.lfm2 import HF_LFM2
from openhearth.models.names.llama import HF_GEMMA3, HF_LLAMA
from openhearth.models.names.state_space import (
    HF_BAMBA,
    HF_JAMBA,
    HF_MAMBA,
    HF_MAMBA2,
    HF_QWEN_HYBRID,
    HF_QWEN_SEEING,
)
from openhearth.models.names.stripedhyena import HF_STRIPED_HYENA

__all__ = ["GGUF", "HF", "HF_BERT", "HF_GEMMA3", "HF_LLAMA", "translate"]

HF: dict[str, dict[str, str]] = {
    "hearth": {},
    "llama": HF_LLAMA,
    "gemma3": HF_GEMMA3,
    "bert": HF_BERT,
    "mamba": HF_MAMBA,
    "mamba2": HF_MAMBA2,
    "jamba": HF_JAMBA,
    "bamba": HF_BAMBA,
    "qwen3_next": HF_QWEN_HYBRID,
    "qwen3_5": HF_QWEN_HYBRID,
    "qwen3_5_seeing": HF_QWEN_SEEING,
    "lfm2": HF_LFM2,
    "stripedhyena": HF_STRIPED_HYENA,
}
"""The table of each family; with an empty one names are as ours."""

BLOCK = re.compile(r"^blocks\.(\d+)\.")


def translate(name: str, table: dict[str, str]) -> str:
    """Our name for a weight, or for the matrix it belongs to, in the words of another format.

    >>> translate("blocks.3.mixer.q.weight", HF_LLAMA)
    'model.layers.3.self_attn.q_proj.weight'
    """
    if not table:
        return name
    block, leaf = BLOCK.match(name), ""
    module = BLOCK.sub("blocks.{i}.", name)
    if module not in table:
        module, dot, last = module.rpartition(".")
        leaf = dot + last
    return table[module].replace("{i}", block[1] if block else "") + leaf
