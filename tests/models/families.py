"""Every family that is read: a small model of each, and what is said of it in the docs.

Sizes are multiples of 32 where kernels want them. This is the source of the table in
`docs/reference/models.md`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

PAGE = "docs/reference/models.md"
WHOLE, CHUNKS, SINGLE, ANSWERS, WRITTEN, KERNELS = COLUMNS = (
    "Whole",
    "Chunks",
    "Token by token",
    "Answers",
    "Written",
    "Kernels",
)
YES = "yes"
FORMS = (CHUNKS, SINGLE, ANSWERS)
ENCODER = dict.fromkeys(FORMS, "an encoder")


@dataclass(frozen=True)
class Family:
    """A small model of an architecture, by the settings of `transformers`, in its class `config`.

    `apart` says in other words than `yes` what a column of the table is about.
    """

    settings: dict[str, Any]
    config: str | None = None
    apart: Mapping[str, str] = field(default_factory=dict)

    def cell(self, column: str) -> str:
        return self.apart.get(column, YES)

    def written_as(self, name: str) -> str:
        """The architecture that its own exported files name."""
        return name if self.cell(WRITTEN) == YES else self.cell(WRITTEN).split("`")[1]


TORCH = {KERNELS: "torch"}
BASE = {
    "hidden_size": 64,
    "num_hidden_layers": 3,
    "intermediate_size": 96,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
}
WINDOW = {"sliding_window": 24}
GEMMA = BASE | WINDOW | {"head_dim": 16, "query_pre_attn_scalar": 20}
EXPERTS = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 32}
SHARED = EXPERTS | {"shared_expert_intermediate_size": 64}
DEEPSEEK = BASE | {
    "n_routed_experts": 8,
    "num_experts_per_tok": 3,
    "moe_intermediate_size": 32,
    "n_group": 4,
    "topk_group": 2,
    "n_shared_experts": 2,
    "first_k_dense_replace": 1,
    "norm_topk_prob": True,
    "routed_scaling_factor": 1.5,
}
SPACE = {"hidden_size": 64, "num_hidden_layers": 3}
JAMBA = EXPERTS | {"attn_layer_period": 3, "attn_layer_offset": 1, "mamba_dt_rank": 16}
BAMBA = {
    "mamba_n_heads": 4,
    "mamba_n_groups": 2,
    "mamba_d_state": 16,
    "mamba_chunk_size": 16,
    "attn_layer_indices": [1],
}
QWEN = BASE | {
    "head_dim": 16,
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 4,
    "linear_key_head_dim": 16,
    "linear_value_head_dim": 16,
    "layer_types": ["linear_attention", "full_attention", "linear_attention"],
}
VISION = {
    "depth": 1,
    "hidden_size": 16,
    "intermediate_size": 16,
    "num_heads": 2,
    "out_hidden_size": 64,
}
LFM2 = {"block_auto_adjust_ff_dim": False, "layer_types": ["conv", "full_attention", "conv"]}
NEMOTRON_H = {
    **{name: BASE[name] for name in BASE if name != "num_hidden_layers"},
    "head_dim": 16,
    "layers_block_type": ["linear_attention", "mlp", "linear_attention", "full_attention", "mlp"],
    "mamba_num_heads": 4,
    "mamba_head_dim": 32,
    "ssm_state_size": 16,
    "n_groups": 2,
    "chunk_size": 16,
}
READER = BASE | {"pad_token_id": 0}
MODERN = READER | {"num_hidden_layers": 4, "local_attention": 16}

FAMILIES = {
    "LlamaForCausalLM": Family(BASE),
    "MistralForCausalLM": Family(BASE | WINDOW),
    "Qwen2ForCausalLM": Family(
        BASE | WINDOW | {"use_sliding_window": True, "max_window_layers": 1}
    ),
    "Qwen3ForCausalLM": Family(BASE | {"head_dim": 16}),
    "Gemma2ForCausalLM": Family(GEMMA, apart=TORCH),
    "Gemma3ForCausalLM": Family(GEMMA, "Gemma3TextConfig"),
    "PhiForCausalLM": Family(BASE),
    "Phi3ForCausalLM": Family(BASE | WINDOW | {"pad_token_id": None}),
    "MixtralForCausalLM": Family(BASE | {"num_local_experts": 4}),
    "Qwen2MoeForCausalLM": Family(BASE | SHARED),
    "Qwen3MoeForCausalLM": Family(BASE | EXPERTS | {"head_dim": 16, "norm_topk_prob": True}),
    "Dots1ForCausalLM": Family(DEEPSEEK),
    "Glm4MoeForCausalLM": Family(DEEPSEEK | {"use_qk_norm": True, "attention_bias": True}),
    "MambaForCausalLM": Family(SPACE | {"time_step_rank": 16}),
    "Mamba2ForCausalLM": Family(
        SPACE | {"num_heads": 4, "head_dim": 32, "state_size": 16, "n_groups": 2, "chunk_size": 16}
    ),
    "JambaForCausalLM": Family(BASE | JAMBA),
    "BambaForCausalLM": Family(BASE | BAMBA),
    "Qwen3NextForCausalLM": Family(QWEN | SHARED, apart=TORCH),
    "Qwen3_5ForCausalLM": Family(QWEN, "Qwen3_5TextConfig", TORCH),
    "Qwen3_5ForConditionalGeneration": Family(
        {"text_config": QWEN, "vision_config": VISION},
        "Qwen3_5Config",
        TORCH | {WRITTEN: "`Qwen3_5ForCausalLM`"},
    ),
    "Lfm2ForCausalLM": Family(BASE | LFM2),
    "NemotronHForCausalLM": Family(NEMOTRON_H),
    "Olmo2ForCausalLM": Family(BASE),
    "Olmo3ForCausalLM": Family(BASE | WINDOW),
    "OlmoHybridForCausalLM": Family(QWEN | {"pad_token_id": 0}),
    "StripedHyenaModelForCausalLM": Family({}, apart=TORCH),
    "BertModel": Family(READER, apart=ENCODER),
    "ModernBertModel": Family(MODERN, apart=ENCODER | TORCH),
    "ModernBertForMaskedLM": Family(
        MODERN, "ModernBertConfig", ENCODER | TORCH | {WRITTEN: "`ModernBertModel`"}
    ),
}
"""By the name in `config.json`. Of StripedHyena the settings are those of its own tests."""


def having(column: str) -> list[str]:
    """The families of which a column's test is to be made."""
    return [n for n, f in FAMILIES.items() if column not in FORMS or f.cell(column) == YES]


def table() -> str:
    """The docs' table."""
    rows = [("Architecture in `config.json`", *COLUMNS), ("---",) * (1 + len(COLUMNS))]
    rows += [(f"`{name}`", *map(family.cell, COLUMNS)) for name, family in FAMILIES.items()]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)
