"""What we merge is what mergekit merges of the same models. See `golden/README.md`."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from openhearth.models import import_model
from openhearth.models.merge import MergeRecipe, merge, methods
from openhearth.store import Store
from tests.models.merge.golden import peer

GOLDEN: dict[str, dict[str, list[float]]] = json.loads((peer.HERE / "mergekit.json").read_text())


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    directory = tmp_path_factory.mktemp("models")
    peer.write_models(directory)
    store = Store(directory / "home")
    for name in peer.MODELS:
        store.tag(name, import_model(store, directory / name).digest)
    return store


def check(store: Store, recipe: dict[str, Any], golden: str) -> None:
    merged = merge(store, MergeRecipe.model_validate(recipe))
    found = load_file(merged.path("model.safetensors"))
    assert found.keys() == GOLDEN[golden].keys()
    for name, tensor in found.items():
        assert peer.print_of(tensor) == pytest.approx(GOLDEN[golden][name], abs=1e-4), name


@pytest.mark.parametrize("case", peer.OURS)
def test_a_merge_is_that_of_mergekit(case: str, store: Store) -> None:
    ours = peer.OURS[case]
    models = [{"model": name, "weight": weight} for name, weight in ours["models"].items()]
    check(store, ours | {"models": models}, case)


def test_a_stack_is_that_of_mergekit(store: Store) -> None:
    models = [{"model": name, "blocks": [first, end]} for name, first, end in peer.STACK]
    check(store, {"method": "stack", "models": models}, "stack")


def test_dare_is_that_of_mergekit_where_chance_is_the_same() -> None:
    base, *tuned = peer.tensors()
    generator = torch.Generator().manual_seed(peer.SEED)
    found = methods.dare(base, tuned, peer.SHARES, peer.DENSITY, generator)
    assert peer.print_of(found) == pytest.approx(GOLDEN["dare"]["tensor"], abs=1e-4)
