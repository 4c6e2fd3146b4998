"""Families of models: our description of what a Hugging Face `config.json` describes.

A new family is a function in the file of its group, and a line in `FAMILIES`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from openhearth.errors import UsageError
from openhearth.models.config import ModelConfig
from openhearth.models.families.bert import bert, modernbert
from openhearth.models.families.experts import dots1, glm4_moe, mixtral, qwen2_moe, qwen3_moe
from openhearth.models.families.gemma import gemma2, gemma3
from openhearth.models.families.jamba import bamba, jamba
from openhearth.models.families.lfm2 import lfm2
from openhearth.models.families.llama import llama, mistral, qwen2, qwen3
from openhearth.models.families.mamba import mamba, mamba2
from openhearth.models.families.nemotron_h import nemotron_h
from openhearth.models.families.olmo import olmo2, olmo3, olmo_hybrid
from openhearth.models.families.phi import phi, phi3
from openhearth.models.families.qwen_hybrid import qwen3_5, qwen3_5_seeing, qwen3_next
from openhearth.models.families.stripedhyena import striped_hyena

FAMILIES: dict[str, Callable[[dict[str, Any]], ModelConfig]] = {
    "LlamaForCausalLM": llama,
    "MistralForCausalLM": mistral,
    "Qwen2ForCausalLM": qwen2,
    "Qwen3ForCausalLM": qwen3,
    "Gemma2ForCausalLM": gemma2,
    "Gemma3ForCausalLM": gemma3,
    "MambaForCausalLM": mamba,
    "Mamba2ForCausalLM": mamba2,
    "JambaForCausalLM": jamba,
    "BambaForCausalLM": bamba,
    "Qwen3NextForCausalLM": qwen3_next,
    "Qwen3_5ForCausalLM": qwen3_5,
    "Qwen3_5ForConditionalGeneration": qwen3_5_seeing,
    "Lfm2ForCausalLM": lfm2,
    "NemotronHForCausalLM": nemotron_h,
    "Olmo2ForCausalLM": olmo2,
    "Olmo3ForCausalLM": olmo3,
    "OlmoHybridForCausalLM": olmo_hybrid,
    "StripedHyenaModelForCausalLM": striped_hyena,
    "PhiForCausalLM": phi,
    "Phi3ForCausalLM": phi3,
    "MixtralForCausalLM": mixtral,
    "Qwen2MoeForCausalLM": qwen2_moe,
    "Qwen3MoeForCausalLM": qwen3_moe,
    "Dots1ForCausalLM": dots1,
    "Glm4MoeForCausalLM": glm4_moe,
    "BertModel": bert,
    "ModernBertModel": modernbert,
    "ModernBertForMaskedLM": modernbert,
}


def read_config(raw: dict[str, Any]) -> ModelConfig:
    """Our description of the model that a Hugging Face `config.json` describes.

    Raises:
        UsageError: the family, or a setting of it, is not supported.
    """
    try:
        return describe(raw)
    except (AttributeError, KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        raise UsageError(f"The model's config.json is incomplete or wrong: {error}.") from error


def describe(raw: dict[str, Any]) -> ModelConfig:
    """`read_config` for settings that may come from elsewhere, and with Python's own errors."""
    family = (raw.get("architectures") or ["(none named)"])[0]
    if family not in FAMILIES:
        raise UsageError(
            f"{family} models are not supported yet: use one of {', '.join(FAMILIES)}."
        )
    return FAMILIES[family](raw)
