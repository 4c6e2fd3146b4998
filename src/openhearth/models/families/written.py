"""The way back: a Hugging Face `config.json` from our description.

Everything that any family reads is written down, and each family is asked whether it reads our
description in it. So what is written is what is read, and there is one place for each setting.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from openhearth.errors import UsageError
from openhearth.models.config import ModelConfig
from openhearth.models.families import FAMILIES
from openhearth.models.families.everything import everything

MODEL_TYPES = {
    "LlamaForCausalLM": "llama",
    "MistralForCausalLM": "mistral",
    "Qwen2ForCausalLM": "qwen2",
    "Qwen3ForCausalLM": "qwen3",
    "Gemma2ForCausalLM": "gemma2",
    "Gemma3ForCausalLM": "gemma3_text",
    "PhiForCausalLM": "phi",
    "Phi3ForCausalLM": "phi3",
    "MixtralForCausalLM": "mixtral",
    "Qwen2MoeForCausalLM": "qwen2_moe",
    "Qwen3MoeForCausalLM": "qwen3_moe",
    "Dots1ForCausalLM": "dots1",
    "Glm4MoeForCausalLM": "glm4_moe",
    "MambaForCausalLM": "mamba",
    "Mamba2ForCausalLM": "mamba2",
    "JambaForCausalLM": "jamba",
    "BambaForCausalLM": "bamba",
    "Qwen3NextForCausalLM": "qwen3_next",
    "Qwen3_5ForCausalLM": "qwen3_5_text",
    "Lfm2ForCausalLM": "lfm2",
    "NemotronHForCausalLM": "nemotron_h",
    "Olmo2ForCausalLM": "olmo2",
    "Olmo3ForCausalLM": "olmo3",
    "OlmoHybridForCausalLM": "olmo_hybrid",
    "StripedHyenaModelForCausalLM": "stripedhyena",
    "BertModel": "bert",
    "ModernBertModel": "modernbert",
}
"""Families that can be written, and what `transformers` calls them."""
UNASKED = {"architectures", "model_type", "hidden_act", "hyena_layer_idxs"}
"""What others read and we do not."""


class Noted(dict[str, Any]):
    """A dictionary that remembers what was asked of it, also after it was merged with another."""

    def __init__(self, values: dict[str, Any], asked: set[str]) -> None:
        super().__init__(values)
        self.asked = asked

    def __getitem__(self, name: str) -> Any:
        self.asked.add(name)
        return super().__getitem__(name)

    def get(self, name: str, default: Any = None) -> Any:
        self.asked.add(name)
        return super().get(name, default)

    def __or__(self, other: Any) -> Noted:  # type: ignore[override]
        return Noted(dict(self) | other, self.asked)

    def __ror__(self, other: Any) -> Noted:  # type: ignore[override]
        return Noted(other | dict(self), self.asked)


def write_config(config: ModelConfig) -> tuple[dict[str, Any], ModelConfig]:
    """A `config.json` that describes this model, and what `read_config` reads in it: `config`, but
    of the family whose names the weights must get.

    Raises:
        UsageError: no family is like this model.
    """
    found = list(_candidates(config))
    if not found:
        raise UsageError(
            "No family of models in Hugging Face's layout has these layers and settings, so that "
            "nothing else could read the files: use the artifact itself."
        )
    return next((each for each in found if each[1].family == config.family), found[0])


def _candidates(config: ModelConfig) -> Iterator[tuple[dict[str, Any], ModelConfig]]:
    settings = everything(config)
    for name, model_type in MODEL_TYPES.items():
        asked = set(UNASKED)
        raw = settings | {"architectures": [name], "model_type": model_type}
        try:
            read = FAMILIES[name](Noted(raw, asked))
        except (UsageError, LookupError, TypeError, ValueError, ArithmeticError):
            continue
        if read == config.model_copy(update={"family": read.family}):
            yield {key: value for key, value in raw.items() if key in asked}, read
