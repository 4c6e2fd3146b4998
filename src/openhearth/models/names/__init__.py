"""What other formats call our weights. Tables, so that adding a format adds no code.

They name matrices, norms and embeddings; `.weight` and `.bias` are the same everywhere.
"""

from openhearth.models.names.bert import HF_BERT, HF_MODERNBERT, HF_MODERNBERT_MLM
from openhearth.models.names.experts import HF_DEEPSEEK_MOE, HF_MIXTRAL, HF_QWEN_MOE
from openhearth.models.names.gguf import GGUF
from openhearth.models.names.lfm2 import HF_LFM2
from openhearth.models.names.llama import HF_GEMMA, HF_LLAMA
from openhearth.models.names.nemotron_h import HF_NEMOTRON_H
from openhearth.models.names.olmo import HF_OLMO, HF_OLMO_HYBRID
from openhearth.models.names.phi import HF_PHI, HF_PHI3
from openhearth.models.names.state_space import (
    HF_BAMBA,
    HF_JAMBA,
    HF_MAMBA,
    HF_MAMBA2,
    HF_QWEN_HYBRID,
    HF_QWEN_SEEING,
)
from openhearth.models.names.stripedhyena import HF_STRIPED_HYENA
from openhearth.models.names.table import Table, numbered, partners, translate

__all__ = ["GGUF", "HF", "HF_LLAMA", "Table", "numbered", "partners", "translate"]

HF: dict[str, Table] = {
    "hearth": {},
    "llama": HF_LLAMA,
    "gemma2": HF_GEMMA,
    "gemma3": HF_GEMMA,
    "phi": HF_PHI,
    "phi3": HF_PHI3,
    "mixtral": HF_MIXTRAL,
    "qwen_moe": HF_QWEN_MOE,
    "deepseek_moe": HF_DEEPSEEK_MOE,
    "bert": HF_BERT,
    "modernbert": HF_MODERNBERT,
    "modernbert_mlm": HF_MODERNBERT_MLM,
    "mamba": HF_MAMBA,
    "mamba2": HF_MAMBA2,
    "jamba": HF_JAMBA,
    "bamba": HF_BAMBA,
    "qwen3_next": HF_QWEN_HYBRID,
    "qwen3_5": HF_QWEN_HYBRID,
    "qwen3_5_seeing": HF_QWEN_SEEING,
    "lfm2": HF_LFM2,
    "nemotron_h": HF_NEMOTRON_H,
    "olmo2": HF_OLMO,
    "olmo3": HF_OLMO,
    "olmo_hybrid": HF_OLMO_HYBRID,
    "stripedhyena": HF_STRIPED_HYENA,
}
"""The table of each family; with an empty one names are as ours."""
