"""Heads with biases or with capped logits train like any other."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from openhearth.models import load_model
from openhearth.training import TrainRecipe, carry_out
from tests.models.test_parity import imported


@pytest.mark.parametrize("family", ["phi", "gemma2"])
@pytest.mark.parametrize("adapter", [None, {"rank": 4}], ids=["whole", "adapter"])
def test_a_head_with_biases_or_capped_logits_trains(
    family: str, adapter: dict[str, Any] | None, tmp_path: Path
) -> None:
    base, _ = imported(family, tmp_path)
    base.store.tag("base", base.digest)
    data = tmp_path / "data.jsonl"
    data.write_text(
        "".join(
            json.dumps({"text": f"The quick brown fox jumps {n} times."}) + "\n" for n in range(9)
        )
    )
    recipe: dict[str, Any] = {
        "model": "base",
        "data": str(data),
        "objective": {"name": "next_token"},
        "adapter": adapter,
        "epochs": 30,
        "batch_tokens": 128,
        "optimizer": {"learning_rate": 0.01},
        "dtype": "float32",
    }
    made = carry_out(base.store, TrainRecipe.parse(recipe))
    losses = [step["loss"] for step in made.read_json("history.json")]
    assert losses[-1] < 0.8 * losses[0]
    if family == "phi" and adapter is None:
        before, after = (load_model(m, "float32").unembedding.bias for m in (base, made))
        assert not torch.equal(before, after)
