"""Base and factors of the rotary frequencies, from the static kinds of scaling."""

from __future__ import annotations

import math
from typing import Any

from openhearth.errors import UsageError
from openhearth.models.families.settings import LOCAL


def rope_of(raw: dict[str, Any], kind: str, size: int) -> dict[str, Any]:
    """Settings of the attention in blocks of this kind, which rotate `size` numbers of a head.

    Newer files list them by kind of block, older ones name those of Gemma's local blocks apart.
    """
    settings = raw.get("rope_parameters") or raw.get("rope_scaling") or {}
    if kind in settings:
        settings = settings[kind]
    elif kind == LOCAL and "rope_local_base_freq" in raw:
        settings = {"rope_theta": raw["rope_local_base_freq"]}
    theta = settings.get("rope_theta") or raw.get("rope_theta", 10000.0)
    return {"rope_theta": theta, "rope_factors": _factors(settings, theta, size)}


def _factors(settings: dict[str, Any], theta: float, size: int) -> tuple[float, ...] | None:
    """What each rotary frequency is divided by."""
    kind = settings.get("rope_type", settings.get("type", "default"))
    if kind == "default":
        return None
    if kind == "given":
        return settings["factors"]
    if kind == "linear":
        return (float(settings["factor"]),) * (size // 2)
    if kind == "llama3":
        return tuple(_llama3_factor(settings, theta ** (2 * i / size)) for i in range(size // 2))
    raise UsageError(f"RoPE scaling of type {kind!r} is not supported yet.")


def _llama3_factor(rope: dict[str, Any], inverse_frequency: float) -> float:
    """Llama 3.1: long waves are stretched by `factor`, short ones not, those between smoothly."""
    factor, low, high = rope["factor"], rope["low_freq_factor"], rope["high_freq_factor"]
    turns = rope["original_max_position_embeddings"] / (2 * math.pi * inverse_frequency)
    if turns < low:
        return factor
    if turns > high:
        return 1.0
    smooth = (turns - low) / (high - low)
    return 1 / ((1 - smooth) / factor + smooth)
