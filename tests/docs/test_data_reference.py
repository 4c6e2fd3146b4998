"""The reference of `hearth data`: each command, option and field of a recipe, and no other."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest
from pydantic import BaseModel

from openhearth.cli.data import data
from openhearth.cli.frame import OUTPUT
from openhearth.data import CurateRecipe
from openhearth.data.rules import Rule
from openhearth.data.signals import SignalRecipe

PAGE = (Path(__file__).parents[2] / "docs/reference/command-line.md").read_text()
ROW = re.compile(r"^\| (`[^|]*`) \| *(.*?) *\| .* \|$", re.MULTILINE)
NOTHING = ("no", "none", "off", "no limit")  # how a page says that there is no default


def section(title: str, level: str = "##") -> str:
    """What stands under a heading, to the next of its level or above."""
    _, found, rest = PAGE.partition(f"\n{level} {title}\n")
    assert found, title
    return re.split(rf"^#{{2,{len(level)}}} ", rest, maxsplit=1, flags=re.MULTILINE)[0]


def rows(text: str) -> dict[str, str]:
    """The defaults that a table states, by option or field; one row may tell of several."""
    found: dict[str, str] = {}
    for cell, default in ROW.findall(text):
        names = re.findall(r"`([^`]+)`", cell)
        defaults = [part.strip(" `") for part in default.split(", ")] * len(names)
        found |= dict(zip(names, defaults, strict=False))
    return found


SHARED = rows(section("Options that several commands have", "###"))


def command(name: str) -> click.Command:
    found = data.get_command(click.Context(data), name)
    assert found
    return found


def test_every_command_is_listed_in_its_order() -> None:
    listed = re.findall(r"^\| `hearth data ([a-z-]+)` \| (.*) \|$", PAGE, re.MULTILINE)
    assert [name for name, _ in listed] == list(data.list_commands(click.Context(data)))
    headings = re.findall(r"^### `hearth data ([a-z-]+)", PAGE, re.MULTILINE)
    assert headings == [name for name, _ in listed]


@pytest.mark.parametrize("name", data.list_commands(click.Context(data)))
def test_every_option_of_a_command_is_there_and_no_other(name: str) -> None:
    params = command(name).params
    arguments = [p for p in params if isinstance(p, click.Argument)]
    words = [p.human_readable_name if p.required else f"[{p.name}]".upper() for p in arguments]
    text = section(f"`{' '.join(['hearth data', name, *words])}`", "###")
    own = rows(text)
    shared = re.findall(r"`(--[a-z-]+)`", "".join(re.findall(r"^And (.*?)\.\n", text, re.M | re.S)))
    options = {p.opts[0]: p for p in params if isinstance(p, click.Option) and p.name not in OUTPUT}
    assert sorted([*own, *shared]) == sorted(options)
    assert set(shared) <= set(SHARED)
    for option, written in own.items():
        default = options[option].default
        if isinstance(default, int | float | str) and not isinstance(default, bool) and written:
            assert str(default) in (written, f"{written}.0")


def test_shared_options_are_those_of_several_commands() -> None:
    for option in SHARED:
        users = [
            name
            for name in data.list_commands(click.Context(data))
            if any(option in p.opts for p in command(name).params)
        ]
        assert len(users) > 1, option


@pytest.mark.parametrize(
    ("recipe", "title", "head"),
    [
        (CurateRecipe, "A recipe of `hearth data run`", "| Field |"),
        (SignalRecipe, "A recipe of `hearth data run`", "| Field of `signals` |"),
        (Rule, "A rule", "| Key |"),
    ],
    ids=["recipe", "signals", "rule"],
)
def test_every_field_is_there_and_no_other(recipe: type[BaseModel], title: str, head: str) -> None:
    table = section(title).partition(head)[2].partition("\n\n")[0]
    written = rows(table)
    fields = {name: field for name, field in recipe.model_fields.items() if name != "name"}
    written.pop("name", None)
    assert written.keys() == fields.keys()
    for name, said in written.items():
        default = fields[name].default
        if said in NOTHING:
            assert default is None
        elif isinstance(default, bool):
            assert said == str(default).lower()
        elif isinstance(default, int | float | str):
            assert said == str(default)
