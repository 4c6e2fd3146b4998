"""What can be trained, and what cannot."""

from __future__ import annotations

from pathlib import Path

import pytest

from openhearth.errors import UsageError
from openhearth.training import TrainRecipe, carry_out
from tests.models.test_parity import imported


def test_a_head_whose_loss_is_not_known_is_not_trained(tmp_path: Path) -> None:
    artifact, _ = imported("phi", tmp_path)
    artifact.store.tag("phi", artifact.digest)
    data = tmp_path / "data.jsonl"
    data.write_text('{"text": "some words to learn from"}\n')
    objective = {"name": "next_token"}
    recipe = TrainRecipe.parse({"model": "phi", "data": str(data), "objective": objective})
    with pytest.raises(UsageError, match="cannot be trained yet"):
        carry_out(artifact.store, recipe)
