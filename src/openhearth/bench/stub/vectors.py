"""A stub's embeddings."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from openhearth.bench.stub.language import rng_of


def embeddings(body: Mapping[str, Any], dimensions: int, model: str, factor: float) -> Any:
    """Vectors of unit length that depend on the texts alone.

    Raises:
        ValueError, KeyError: it is no request for any.
    """
    texts = [body["input"]] if isinstance(body["input"], str) else body["input"]
    if not all(isinstance(text, str) for text in texts):
        raise ValueError("input must be a text, or several")
    data = []
    for number, text in enumerate(texts):
        vector = rng_of("embedding", text).standard_normal(dimensions, "float32")
        vector /= (vector @ vector) ** 0.5
        plain = body.get("encoding_format", "float") != "base64"
        told = vector.tolist() if plain else base64.b64encode(vector.tobytes()).decode()
        data.append({"object": "embedding", "index": number, "embedding": told})
    tokens = round(factor * sum(len(text.split()) for text in texts))
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "data": data, "model": model, "usage": usage}
