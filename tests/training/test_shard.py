"""A model shared out over two processes trains as one process trains it, and its runs go on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from openhearth.models import load_model, pull
from openhearth.store import Store
from openhearth.training.group import Group
from tests.training import shard_worker
from tests.training.processes import run_together
from tests.training.shard_worker import KINDS

pytestmark = pytest.mark.skipif(
    not torch.distributed.is_available(), reason="torch without distributed"
)
TOLERANCE = {"narrow": 3e-2, "muon": 5e-3}
"""Of losses and weights, all about 1, where sums of another order are rounded to few digits. Once a
weight is rounded to the other side in bfloat16, all gradients change a bit, and AdamW moves those
of which next to nothing is left by the whole rate, 0.01, up or down: here three steps of that.
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where one process, and then two, leave what came of each kind of job."""
    place = tmp_path_factory.mktemp("shard")
    shard_worker.main(place)
    run_together(2, "-m", "tests.training.shard_worker", str(place))
    return place


def found(place: Path, size: int, kind: str) -> dict[str, Any]:
    return torch.load(place / f"found-{size}.pt")[kind]


def assert_same_bits(one: dict[str, Any], other: dict[str, Any]) -> None:
    torch.testing.assert_close(one, other, atol=0, rtol=0)


def assert_close(one: dict[str, Any], other: dict[str, Any], kind: str) -> None:
    tolerance = TOLERANCE.get(kind, 1e-4)
    for what in ("weights", "losses", "heldout"):
        torch.testing.assert_close(one[what], other[what], atol=tolerance, rtol=tolerance)
    norms = one["norms"][0], other["norms"][0]
    torch.testing.assert_close(*norms, atol=0, rtol=1e-3 if kind == "narrow" else 1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_two_processes_train_as_one_does(kind: str, place: Path) -> None:
    one, two = (found(place, size, kind) for size in (1, 2))
    assert_close(one["unbroken"], two["unbroken"], kind)
    assert two["saved"] == one["saved"]  # bytes for backward, without the weights of the moment


@pytest.mark.parametrize("kind", KINDS)
def test_a_stopped_run_goes_on_to_the_same_bits(kind: str, place: Path) -> None:
    two = found(place, 2, kind)
    assert_same_bits(two["unbroken"], two["resumed"])


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_goes_on_with_another_number_of_processes(kind: str, place: Path) -> None:
    one, two = (found(place, size, kind) for size in (1, 2))
    assert_close(one["unbroken"], two["from one"], kind)
    from_two = shard_worker.trained(kind, place / "left-2" / kind, Group())
    assert_close(one["unbroken"], from_two, kind)


def test_a_recipe_makes_the_same_model(tmp_path: Path, tiny_directory: Path) -> None:
    data = tmp_path / "data.jsonl"
    rows = [{"prompt": f"number {i}", "completion": f" is the sum of {i} and 0"} for i in range(12)]
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    fields = {
        "model": "tiny",
        "data": str(data),
        "heldout": str(data),
        "adapter": None,
        "batch_tokens": 128,
        "micro_tokens": 64,
        "dtype": "float32",
        "evaluation": {"every": 2, "patience": 9, "prompts": ["number 3"], "sample_tokens": 2},
        "shard": True,
        "name": "bot",
    }
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(json.dumps(fields))
    made = []
    for size in (1, 2):
        store = Store(tmp_path / str(size))
        pull(store, str(tiny_directory), name="tiny")
        run_together(size, "-m", "openhearth.cli", "--home", str(store.root), "train", str(recipe))
        made.append(store.get("bot:1"))
    alone, together = made
    assert together.manifest.recipe == alone.manifest.recipe
    assert "shard" not in together.manifest.recipe
    weights = [load_model(made, "float32").state_dict() for made in (alone, together)]
    torch.testing.assert_close(*weights, atol=1e-4, rtol=1e-4)
    one, two = (made.read_json("evaluations.json") for made in (alone, together))
    assert [e["samples"] for e in one] == [e["samples"] for e in two]
