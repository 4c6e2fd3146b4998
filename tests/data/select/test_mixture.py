"""Plans of mixtures: budgets kept, caps respected, the rest in proportion."""

from __future__ import annotations

import contextlib
import re
import tempfile
from pathlib import Path

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from openhearth.data.select import Mixture, SelectRecipe, Slice, plan
from openhearth.data.select.mixture import fill
from openhearth.errors import NotFound, UsageError

positive = st.floats(0.001, 1000)
vessels = st.lists(st.tuples(positive, positive), min_size=1, max_size=8)


def mixture(*slices: tuple[str, float | None, float], **settings: object) -> Mixture:
    parts = [Slice(name=n, path=n, weight=w, epochs=e) for n, w, e in slices]
    return Mixture.parse({"slices": [part.model_dump() for part in parts], **settings})


@given(st.floats(0.001, 10_000), vessels)
def test_filling_keeps_budget_caps_and_proportions(
    budget: float, slices: list[tuple[float, float]]
) -> None:
    shares, caps = zip(*slices, strict=True)
    amounts = fill(budget, shares, caps)
    assert sum(amounts) == pytest.approx(min(budget, sum(caps)))
    assert all(0 <= amount <= cap for amount, cap in zip(amounts, caps, strict=True))
    levels = [amount / share for amount, share in zip(amounts, shares, strict=True)]
    for amount, cap, level in zip(amounts, caps, levels, strict=True):
        # What is not full stands at the highest level.
        assert amount == pytest.approx(cap) or level == pytest.approx(max(levels))


@given(st.floats(0.001, 1000), st.floats(0, 1000), vessels)
def test_a_larger_budget_takes_nothing_from_anyone(
    budget: float, more: float, slices: list[tuple[float, float]]
) -> None:
    shares, caps = zip(*slices, strict=True)
    before, after = fill(budget, shares, caps), fill(budget + more, shares, caps)
    assert all(b <= a * (1 + 1e-9) for b, a in zip(before, after, strict=True))


def test_a_plan_by_hand() -> None:
    # 60, 30 and 10 of 100; but b has 10 and may come twice, so 10 more go to a and c, six to one.
    made = plan(
        mixture(("a", 6, 1), ("b", 3, 2), ("c", 1, 4), budget=100),
        {"a": 1000, "b": 10, "c": 5},
    )
    assert [share.amount for share in made] == [69, 20, 11]
    assert [share.capped for share in made] == [False, True, False]
    assert [share.epochs for share in made] == [0.069, 2, 2.2]
    assert made[1].to_dict() == {
        "name": "b",
        "size": 10,
        "wanted": 0.3,
        "amount": 20,
        "capped": True,
        "epochs": 2.0,
    }


def test_without_a_budget_no_slice_falls_short() -> None:
    made = plan(mixture(("a", 1, 1), ("b", 1, 3)), {"a": 100, "b": 10})
    assert [share.amount for share in made] == [30, 30]
    assert not any(share.capped for share in made)


def test_more_than_there_is_ends_at_the_caps() -> None:
    made = plan(mixture(("a", 1, 1), ("b", 1, 3), budget=10**6), {"a": 100, "b": 10})
    assert [(share.amount, share.capped) for share in made] == [(100, True), (30, True)]


@pytest.mark.parametrize(("temperature", "amounts"), [(1, [99, 1]), (2, [91, 9]), (1e9, [50, 50])])
def test_temperature_raises_small_slices(temperature: float, amounts: list[int]) -> None:
    sizes = {"a": 9900, "b": 100}
    wanted = mixture(("a", None, 1), ("b", None, 1), budget=100, temperature=temperature)
    assert [share.amount for share in plan(wanted, sizes)] == amounts


def test_a_file_of_a_mixture(tmp_path: Path) -> None:
    path = tmp_path / "mixture.yaml"
    path.write_text(
        "budget: 1000\nslices:\n"
        "  - {name: web, path: web/, weight: 0.7, rules: [gopher]}\n"
        "  - {name: code, path: code.jsonl, weight: 0.3, epochs: 4, select: {n: 5, method: random}}"
    )
    made = Mixture.load(path)
    assert [part.name for part in made.slices] == ["web", "code"]
    assert made.slices[1].select is not None
    with pytest.raises(NotFound, match="no mixture"):
        Mixture.load(tmp_path / "other.yaml")
    path.write_text("slices: [")
    with pytest.raises(UsageError, match="is not YAML"):
        Mixture.load(path)


FILE = b"budget: 10\nslices:\n  - {name: a, path: x, weight: 0.5, select: {n: 5}}\n"


@given(st.binary(max_size=60), st.integers(0, len(FILE)), st.integers(0, 20))
@example(b"[" * 3000, 0, 0)
@example(b"2001-99-99", 8, 2)
@example(b"&a [*a]", 20, 0)
@settings(deadline=None, max_examples=50)
def test_any_bytes_are_a_mixture_or_an_error(noise: bytes, at: int, gone: int) -> None:
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(UsageError):
        path = Path(folder) / "mixture.yaml"
        path.write_bytes(FILE[:at] + noise + FILE[at + gone :])
        assert Mixture.load(path).slices


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (None, "wrong at its top"),
        ({"slices": []}, "wrong at slices"),
        ({"slices": [{"name": "a/b", "path": "x"}]}, r"wrong at slices\.0\.name"),
        ({"slices": [{"name": "a", "path": "x", "weight": 0}]}, r"wrong at slices\.0\.weight"),
        ({"slices": [{"name": "a", "path": "x"}] * 2}, "the same name"),
        ({"slices": [{"name": "a", "path": "x", "targets": {"t": "y"}}]}, "give select too"),
        (
            {"slices": [{"name": "a", "path": "x", "weight": 1}, {"name": "b", "path": "x"}]},
            "every slice a weight, or none",
        ),
    ],
)
def test_wrong_mixtures_say_where(raw: object, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        Mixture.parse(raw)


def test_the_page_has_every_field_and_a_mixture_that_is_one() -> None:
    page = (Path(__file__).parents[3] / "docs/reference/mixtures.md").read_text()
    (block,) = re.findall(r"```yml\n(.*?)```", page, re.DOTALL)
    made = Mixture.parse(yaml.safe_load(block))
    assert made.slices[2].select is not None
    tables = [re.findall(r"^\| (`.*?) \|", table, re.MULTILINE) for table in page.split("| Field")]
    written = [set(re.findall(r"`(\w+)`", " ".join(cells))) for cells in tables[1:]]
    models = (Mixture, Slice, SelectRecipe)
    assert written == [model.model_fields.keys() for model in models]


def test_an_empty_slice_is_refused() -> None:
    with pytest.raises(UsageError, match="slice a of a is empty"):
        plan(mixture(("a", 1, 1)), {"a": 0})
