"""Recipes of benchmarks: those that ship, and what is refused."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from openhearth.bench.recipe import Recipe, parse_recipe, read_recipe
from openhearth.errors import NotFound, UsageError

SHIPPED = sorted(Path("recipes/bench").glob("*.yaml"))
LEAST = {"name": "least", "workloads": {"chat": 1}}


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_those_that_ship_are_recipes_of_their_file_s_name(path: Path) -> None:
    assert read_recipe(path.stem).name == path.stem
    assert read_recipe(str(path)) == read_recipe(path.stem)


def test_equal_recipes_have_equal_digests_however_they_are_written(tmp_path: Path) -> None:
    other = tmp_path / "other.yaml"
    spelt = Recipe.model_validate(LEAST).model_dump(mode="json")
    other.write_text("# a comment\n" + yaml.safe_dump(spelt, sort_keys=True))
    assert read_recipe(str(other)).digest == parse_recipe(LEAST, "least").digest
    assert parse_recipe(LEAST | {"timeout_s": 1}, "x").digest != parse_recipe(LEAST, "x").digest


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"name": "With Spaces"}, "name"),
        ({"workloads": {}}, "workloads"),
        ({"workloads": {"poetry": 1}}, "workloads.poetry"),
        ({"workloads": {"chat": 0}}, "workloads.chat"),
        ({"load": {"arrivals": "poisson", "rate": 0}}, "load.poisson.rate"),
        ({"load": {"arrivals": "poisson", "callers": 2}}, "load.poisson.callers"),
        ({"load": {"arrivals": "by post"}}, "load: 'arrivals' is 'by post', and must be"),
        ({"load": {"rate": 1}}, "load: the field 'arrivals' must be there"),
        ({"protocol": 2}, "protocol"),
        ({"objective": {"share": 1}}, "objective.share"),
        ({"gate": {"canaries": 0.01}}, "gate.canaries"),
        ({"workloads": {"batch": 1}}, "the whole"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_what_is_wrong_is_told_by_its_field(changed: dict[str, object], field: str) -> None:
    with pytest.raises(UsageError, match=rf"mine\.yaml is no recipe of a benchmark: {field}"):
        parse_recipe(LEAST | changed, "mine.yaml")


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists, max_leaves=5))
def test_whatever_else_is_no_recipe(value: object) -> None:
    with pytest.raises(UsageError, match="no recipe"):
        parse_recipe(value, "mine.yaml")


def test_a_file_that_is_no_yaml_and_a_name_that_is_none(tmp_path: Path) -> None:
    broken = tmp_path / "broken.yaml"
    broken.write_text("{")
    with pytest.raises(UsageError, match="is not YAML"):
        read_recipe(str(broken))
    with pytest.raises(NotFound, match="chat-small"):
        read_recipe("no-such")


@pytest.mark.parametrize(
    ("changed", "ranked"),
    [
        ({}, True),
        ({"seconds": 30}, False),
        ({"requests": 50}, False),
        ({"load": {"arrivals": "callers", "callers": 4}}, False),
        ({"tier": "full", "seconds": 60}, False),
    ],
)
def test_only_open_loads_that_are_long_enough_are_ranked(
    changed: dict[str, object], ranked: bool
) -> None:
    assert parse_recipe(LEAST | changed, "x").ranked is ranked
