"""Llama, and those that differ from it in windows and biases: Mistral, Qwen2 and Qwen3."""

from __future__ import annotations

from typing import Any

from openhearth.models.config import ModelConfig
from openhearth.models.families.decoder import decoder
from openhearth.models.families.settings import (
    GLOBAL,
    LOCAL,
    biases_of,
    blocks_of,
    windows_by_kind,
)


def llama(raw: dict[str, Any]) -> ModelConfig:
    """`LlamaForCausalLM`."""
    return decoder(raw, [None] * blocks_of(raw), biases_of(raw))


def mistral(raw: dict[str, Any]) -> ModelConfig:
    """`MistralForCausalLM`."""
    return decoder(raw, [raw.get("sliding_window")] * blocks_of(raw), {})


def qwen2(raw: dict[str, Any]) -> ModelConfig:
    """`Qwen2ForCausalLM`."""
    return decoder(raw, late_windows(raw), {"bias": True})


def qwen3(raw: dict[str, Any]) -> ModelConfig:
    """`Qwen3ForCausalLM`."""
    return decoder(raw, late_windows(raw), biases_of(raw) | {"qk_norm": True})


def late_windows(raw: dict[str, Any]) -> list[int | None]:
    """Qwen: the blocks from `max_window_layers` on have a window, if that is in use."""
    count = blocks_of(raw)
    if not raw.get("use_sliding_window"):
        return [None] * count
    usual = [LOCAL if i >= raw["max_window_layers"] else GLOBAL for i in range(count)]
    return windows_by_kind(raw, usual, raw["sliding_window"])
