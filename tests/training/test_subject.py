"""Heads with biases or with capped logits train like any other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from openhearth.models import load_model
from tests.training.imported import train_imported


@pytest.mark.parametrize("family", ["phi", "gemma2"])
@pytest.mark.parametrize("adapter", [None, {"rank": 4}], ids=["whole", "adapter"])
def test_a_head_with_biases_or_capped_logits_trains(
    family: str, adapter: dict[str, Any] | None, tmp_path: Path
) -> None:
    base, made, losses = train_imported(family, tmp_path, adapter=adapter, epochs=30)
    assert losses[-1] < 0.8 * losses[0]
    if family == "phi" and adapter is None:
        before, after = (load_model(m, "float32").unembedding.bias for m in (base, made))
        assert not torch.equal(before, after)
