"""How keys and values are kept, and what they take."""

from __future__ import annotations

from typing import Any

from openhearth.errors import UsageError
from openhearth.inference.native import _engine
from openhearth.models.config import ModelConfig
from openhearth.models.mixer_config import Attention

KEPT = {
    "float32": _engine.Kept.FP32,
    "int16": _engine.Kept.INT16,  # and of each token of a head a scale
    "int8": _engine.Kept.INT8,
}


def kept_as(kv_dtype: str, dtype: str) -> Any:
    """What is meant by `kv_dtype` beside weights of `dtype`: by `auto` 16 bits, beside float32 32.

    Raises:
        UsageError: there is no such type.
    """
    if kv_dtype == "auto":
        kv_dtype = "float32" if dtype == "float32" else "int16"
    if kv_dtype not in KEPT:
        known = ", ".join(["auto", *KEPT])
        raise UsageError(f"kv_dtype is {kv_dtype!r}, but must be one of {known}.")
    return KEPT[kv_dtype]


def token_bytes(config: ModelConfig, kept: Any) -> int:
    """What the keys and values of a token take in all blocks."""
    mixers = [b.mixer for b in config.blocks if isinstance(b.mixer, Attention)]
    return sum(_engine.token_bytes(kept, mixer.kv_heads, mixer.head_dim) for mixer in mixers)
