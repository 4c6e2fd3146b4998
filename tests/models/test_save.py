"""A model that was in memory is the same when it is read back, fused matrices and all."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from openhearth.models import config_of, load_model, save_model
from openhearth.store import Draft
from tests.models.test_parity import imported


@pytest.mark.parametrize("family", ["llama, biases", "gemma3", "phi3", "mixtral"])
def test_what_was_saved_is_read_back(family: str, tmp_path: Path) -> None:
    artifact, _ = imported(family, tmp_path)
    model = load_model(artifact, "float32")
    weights = {name: parameter + 1 for name, parameter in model.named_parameters()}

    def build(draft: Draft) -> None:
        save_model(config_of(artifact), weights, artifact, draft)

    saved = artifact.store.make("model", build, recipe={"test": family})
    assert saved.manifest.metrics["parameters"] == sum(w.numel() for w in weights.values())
    for name, parameter in load_model(saved, "float32").named_parameters():
        torch.testing.assert_close(parameter, weights[name])
