"""Models of families from elsewhere, trained on a few lines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from openhearth.store import Artifact
from openhearth.training import carry_out
from tests.models.test_parity import imported
from tests.training.jobs import make_recipe


def train_imported(
    family: str, folder: Path, **fields: Any
) -> tuple[Artifact, Artifact, list[float]]:
    """A small random model of a family, what comes of it on a few lines, and the losses."""
    base, _ = imported(family, folder)
    base.store.tag("base", base.digest)
    data = folder / "data.jsonl"
    lines = [json.dumps({"text": f"The quick brown fox jumps {n} times."}) for n in range(9)]
    data.write_text("\n".join(lines))
    recipe = make_recipe(model="base", data=str(data), objective={"name": "next_token"}, **fields)
    made = carry_out(base.store, recipe)
    return base, made, [step["loss"] for step in made.read_json("history.json")]
