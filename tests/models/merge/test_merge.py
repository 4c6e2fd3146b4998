"""Merging: what must come out when the parts are equal, nothing, or all there is."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from openhearth.errors import NotFound, UsageError
from openhearth.models import load_adapter, load_model, pull
from openhearth.models.merge import MergeRecipe, merge, methods
from openhearth.store import Store
from tests.conftest import make_adapter


def tensor(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(shape or (6, 8), generator=torch.Generator().manual_seed(seed))


BASE, FIRST, SECOND = tensor(0), tensor(1), tensor(2)


@given(st.floats(0.1, 1), st.floats(0.1, 3))
def test_a_model_with_itself_is_itself(density: float, weight: float) -> None:
    generator = torch.Generator().manual_seed(0)
    same = [FIRST, FIRST]
    for merged in (
        methods.linear(same, [weight, 1]),
        methods.slerp(*same, weight / 3),
        methods.task_arithmetic(FIRST, same, [weight, 1]),
        methods.ties(FIRST, same, [weight, 1], density),
        methods.dare(FIRST, same, [weight, 1], density, generator),
    ):
        torch.testing.assert_close(merged, FIRST)


def test_weights_of_nothing_leave_the_base() -> None:
    nothing = [0.0, 0.0]
    generator = torch.Generator()
    for merged in (
        methods.task_arithmetic(BASE, [FIRST, SECOND], nothing),
        methods.ties(BASE, [FIRST, SECOND], nothing, 0.5),
        methods.dare(BASE, [FIRST, SECOND], nothing, 0.5, generator),
    ):
        torch.testing.assert_close(merged, BASE)


def test_all_of_one_model_is_that_model() -> None:
    torch.testing.assert_close(methods.ties(BASE, [FIRST], [1.0], 1.0), FIRST)
    torch.testing.assert_close(methods.task_arithmetic(BASE, [FIRST], [1.0]), FIRST)
    generator = torch.Generator()
    torch.testing.assert_close(methods.dare(BASE, [FIRST], [1.0], 1.0, generator), FIRST)


def test_slerp_goes_along_the_arc() -> None:
    torch.testing.assert_close(methods.slerp(FIRST, SECOND, 0.0), FIRST)
    torch.testing.assert_close(methods.slerp(FIRST, SECOND, 1.0), SECOND)
    right, up = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])
    half = methods.slerp(right, up, 0.5)
    torch.testing.assert_close(half, torch.full((2,), math.sqrt(0.5)))
    torch.testing.assert_close(methods.slerp(right, 2 * right, 0.5), 1.5 * right)
    torch.testing.assert_close(methods.slerp(right, 0 * right, 0.5), 0.5 * right)


def test_ties_by_hand() -> None:
    """Of (3, -1, 0.1) and (-1, -2, 5) two each are kept: the signs are +, -, +."""
    base = torch.tensor([1.0, 1.0, 1.0])
    tasks = [torch.tensor([3.0, -1.0, 0.1]), torch.tensor([-1.0, -2.0, 5.0])]
    merged = methods.ties(base, [base + task for task in tasks], [1.0, 1.0], 2 / 3)
    torch.testing.assert_close(merged - base, torch.tensor([3.0, -1.5, 5.0]))


def test_dare_keeps_some_and_their_length() -> None:
    base, tuned = torch.zeros(100_000), torch.ones(100_000)
    merged = methods.dare(base, [tuned], [1.0], 0.25, torch.Generator().manual_seed(0))
    nothing, scaled = merged.unique().tolist()
    assert nothing == 0
    assert scaled == pytest.approx(4, abs=0.1)
    assert merged.mean() == pytest.approx(1)


@pytest.fixture
def store(tmp_path: Path, tiny_directory: Path) -> Store:
    store = Store(tmp_path / "home")
    base = pull(store, str(tiny_directory), name="tiny")
    for seed, name in enumerate(("a", "b")):
        make_adapter(store, base, name, seed=seed)
    return store


def recipe(method: str, *models: Any, **settings: Any) -> MergeRecipe:
    sources = [model if isinstance(model, dict) else {"model": model} for model in models]
    return MergeRecipe.model_validate({"method": method, "models": sources} | settings)


def weights(store: Store, merged: MergeRecipe) -> dict[str, torch.Tensor]:
    return load_model(merge(store, merged), "float32").state_dict()


def test_an_adapter_goes_into_its_base(store: Store) -> None:
    found = weights(store, recipe("linear", "a"))
    model = load_model(store.get("tiny"), "float32")
    load_adapter(model, store.get("a"), "a")
    pair = model.adapter("a")["blocks.1.channel.up"]
    plain = model.state_dict()
    delta = pair.scale * pair.b @ pair.a
    name = "blocks.1.channel.up.weight"
    torch.testing.assert_close(found[name], plain[name] + delta)
    torch.testing.assert_close(found["norm.weight"], plain["norm.weight"])


def test_each_method_on_models(store: Store) -> None:
    a, b, base = (weights(store, recipe("linear", name)) for name in ("a", "b", "tiny"))
    name = "blocks.0.mixer.q.weight"
    half = weights(store, recipe("linear", "a", "b"))
    torch.testing.assert_close(half[name], (a[name] + b[name]) / 2)
    both = weights(store, recipe("task_arithmetic", "a", "b", base="tiny"))
    torch.testing.assert_close(both[name], a[name] + b[name] - base[name])
    near = weights(store, recipe("slerp", "a", "b", share=0.0))
    torch.testing.assert_close(near, a)
    all_of_it = weights(store, recipe("ties", "b", base="tiny", density=1))
    torch.testing.assert_close(all_of_it, b)
    by_chance = recipe("dare", "a", "b", base="tiny", density=0.5, seed=3)
    assert merge(store, by_chance).digest == merge(store, by_chance).digest
    assert not torch.equal(weights(store, by_chance)[name], both[name])


def test_layers_are_stacked(store: Store) -> None:
    whole = weights(store, recipe("stack", "tiny"))
    torch.testing.assert_close(whole, load_model(store.get("tiny"), "float32").state_dict())
    sources = ({"model": "tiny", "blocks": [0, 2]}, {"model": "a", "blocks": [1, 2]})
    taller = weights(store, recipe("stack", *sources))
    a = weights(store, recipe("linear", "a"))
    assert "blocks.3.mixer.q.weight" not in taller
    for leaf in ("mixer.q.weight", "channel.down.weight"):
        torch.testing.assert_close(taller[f"blocks.2.{leaf}"], a[f"blocks.1.{leaf}"])


def test_models_that_differ_are_refused(store: Store, small_directory: Path) -> None:
    pull(store, str(small_directory), name="small")
    with pytest.raises(UsageError, match="small has other layers"):
        merge(store, recipe("linear", "tiny", "small"))
    with pytest.raises(UsageError, match="small differs from tiny"):
        merge(store, recipe("stack", "tiny", "small"))
    with pytest.raises(UsageError, match="no blocks from 1 to before 9"):
        merge(store, recipe("stack", {"model": "tiny", "blocks": [1, 9]}))
    with pytest.raises(NotFound):
        merge(store, recipe("linear", "none"))


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("method: ties\nmodels: [{model: a}]", "a base is for"),
        ("method: linear\nbase: b\nmodels: [{model: a}]", "a base is for"),
        ("method: slerp\nmodels: [{model: a}]", "two models"),
        ("method: linear\nmodels: [{model: a, weight: 0}]", "add up to nothing"),
        ("method: linear\nmodels: [{model: a, blocks: [0, 1]}]", "for stack only"),
        ("method: linear\nmodels: []", "wrong at models"),
        ("[", "not YAML"),
    ],
)
def test_wrong_recipes(written: str, text: str, tmp_path: Path) -> None:
    path = tmp_path / "merge.yaml"
    path.write_text(written)
    with pytest.raises(UsageError, match=text):
        MergeRecipe.load(path)
    with pytest.raises(NotFound):
        MergeRecipe.load(tmp_path / "none.yaml")
