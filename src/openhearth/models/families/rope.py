"""Base and factors of the rotary frequencies, from the static kinds of scaling."""

from __future__ import annotations

import math
from typing import Any

from openhearth.errors import UsageError
from openhearth.models.families.settings import LOCAL, refuse_if
from openhearth.models.mixer_config import Attention

LLAMA3 = {
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 8192,
}
"""As in all models of Llama 3.1 to 3.3."""


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


def written_rope(mixer: Attention) -> dict[str, Any]:
    """The `rope_parameters` from which `rope_of` reads this layer's rotation."""
    theta, factors = mixer.rope_theta or 10000.0, mixer.rope_factors
    rope: dict[str, Any] = {"rope_theta": mixer.rope_theta}
    if mixer.rotary is not None:
        rope["partial_rotary_factor"] = mixer.rotary / mixer.head_dim
    if factors is None:
        return rope | {"rope_type": "default"}
    kinds: list[dict[str, Any]] = [
        {"rope_type": "linear", "factor": factors[0]},
        {"rope_type": "llama3", "factor": max(factors), **LLAMA3},
    ]
    for kind in kinds:
        if _factors(kind, theta, mixer.rotated) == factors:
            return rope | kind
    # The one kind that lists the factors; it would also scale the angles' cosines, if not told.
    same = {"short_factor": list(factors), "long_factor": list(factors), "attention_factor": 1.0}
    return rope | {"rope_type": "longrope", "original_max_position_embeddings": 4096} | same


def _factors(settings: dict[str, Any], theta: float, size: int) -> tuple[float, ...] | None:
    """What each rotary frequency is divided by."""
    kind = settings.get("rope_type", settings.get("type", "default"))
    if kind == "default":
        return None
    if kind == "given":
        return settings["factors"]
    if kind == "longrope" and settings["short_factor"] == settings["long_factor"]:
        _refuse_scaled_angles(settings)
        return tuple(map(float, settings["long_factor"]))
    if kind == "linear":
        return (float(settings["factor"]),) * (size // 2)
    if kind == "llama3":
        return tuple(_llama3_factor(settings, theta ** (2 * i / size)) for i in range(size // 2))
    raise UsageError(f"RoPE scaling of type {kind!r} is not supported yet.")


def _refuse_scaled_angles(settings: dict[str, Any]) -> None:
    scale = settings.get("attention_factor")
    refuse_if(scale != 1, f"RoPE of type 'longrope' with attention_factor {scale}")


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
