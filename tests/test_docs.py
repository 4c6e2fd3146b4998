"""The pages keep up with the code: links lead somewhere, commands and options exist."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import yaml
from pydantic import BaseModel

from openhearth.cli import COMMANDS, hearth
from openhearth.data import CurateRecipe
from openhearth.data.rules import load_rules
from openhearth.data.select import Mixture
from openhearth.models import design
from openhearth.models.block_list import read_yaml
from openhearth.models.merge import MergeRecipe
from openhearth.platform.ledger import read_prices
from openhearth.training import TrainRecipe, TuneRecipe
from openhearth.training.study import StudyRecipe
from tests.bench.improvement.test_report import REPORT

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
COMMAND = re.compile(r"(?:^|`|\$ |\.venv/bin/)(hearth [^`\n#]+)", re.MULTILINE)
DEFAULT_PRICES = ROOT / "src/openhearth/platform/ledger/default_prices.toml"
REFERENCE = (ROOT / "docs/reference/command-line.md").read_text()


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def anchors(page: Path) -> set[str]:
    """The headings of a page as fragments of its URL."""
    titles = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    for link in LINK.findall(page.read_text()):
        if link.startswith(("https://", "http://")):
            continue
        path, _, fragment = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert target.is_relative_to(ROOT), link
        assert not fragment or fragment in anchors(target), link


def uses(text: str) -> Iterator[tuple[list[str], click.Command, str]]:
    """Each use of `hearth …` in a page: its words, the command meant, and the line."""
    for line in COMMAND.findall(text.replace("\\\n", " ")):
        words = shlex.split(line.replace("…", "X").replace("[", "").replace("]", ""))[1:]
        command: click.Command = hearth
        while isinstance(command, click.Group):
            given = next((word for word in words if not word.startswith("-")), None)
            found = command.get_command(click.Context(command), given or "")
            if found is None:
                break
            words.remove(given)
            command = found
        yield words, command, line


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_commands_and_their_options_exist(page: Path) -> None:
    for words, command, line in uses(page.read_text()):
        if command is hearth:
            assert re.match(r"hearth (\[?--|COMMAND|-h|$)", line), f"no such command: {line}"
        known = {option for each in (command, hearth) for p in each.params for option in p.opts}
        for word in words:
            if word.startswith("--"):
                assert word.split("=")[0] in known | {"--help", "--version"}, line


def test_the_check_itself_sees_what_is_wrong() -> None:
    wrong = "`hearth tune --no-such-option 3` and `hearth cook`"
    (words, tune, _), (_, nothing, _) = uses(wrong)
    assert tune.name == "tune"
    assert "--no-such-option" in words
    assert nothing is hearth


def test_the_reference_lists_every_command() -> None:
    rows = re.findall(r"^\| `hearth ([a-z]+)` \|", REFERENCE, re.MULTILINE)
    assert rows == list(COMMANDS)


def test_the_reference_lists_every_field_of_a_tune_recipe() -> None:
    table = REFERENCE.partition("## A recipe of `hearth tune`")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \|([^|]*)\|", table, re.MULTILINE)
    written: dict[str, str] = {}
    for names, values in rows:
        keys = re.findall(r"\w+", names)
        defaults = [value.strip() for value in values.split(",")]
        written |= dict(zip(keys, defaults, strict=True))
    fields = {field.alias or name: field for name, field in TuneRecipe.model_fields.items()}
    assert written.keys() == fields.keys()
    for key, default in written.items():
        expected = fields[key].default
        if fields[key].is_required():
            assert default == ""
        elif expected is None:
            assert default == "null"
        elif isinstance(expected, str):
            assert default == expected
        else:
            assert float(default) == expected


@pytest.mark.parametrize(
    ("page", "command", "recipe"),
    [("training", "train", TrainRecipe), ("studies", "study", StudyRecipe)],
)
def test_the_reference_lists_every_field_of_a_recipe(
    page: str, command: str, recipe: type[BaseModel]
) -> None:
    text = (ROOT / f"docs/reference/{page}.md").read_text()
    table = text.partition(f"## A recipe of `hearth {command}`")[2].partition("\n## ")[0]
    written = dict(re.findall(r"^\| `(\w+)` \| ([^|]*?) ?\|", table, re.MULTILINE))
    fields = {field.alias or name: field for name, field in recipe.model_fields.items()}
    assert written.keys() == fields.keys()
    for key, field in fields.items():
        if isinstance(field.default, int | float | str | None) and not field.is_required():
            assert yaml.safe_load(written[key]) == field.default, key


def test_the_protocol_explains_every_number_of_the_summary() -> None:
    protocol = (ROOT / "docs/reference/benchmark-protocol.md").read_text()
    table = protocol.partition("## What the demo leaves")[2].partition("\n## ")[0]
    cells = re.findall(r"^\| (`.*?) \|", table, re.MULTILINE)
    explained = {key for cell in cells for key in re.findall(r"`(\w+)`", cell)}
    assert explained == REPORT.summary().keys()


def blocks(language: str) -> list[str]:
    """The code blocks of this language, a regular expression, in all pages."""
    pattern = re.compile(rf"```{language}\n(.*?)```", re.DOTALL)
    return [block for page in PAGES for block in pattern.findall(page.read_text())]


def test_recipes_and_rules_in_the_pages_are_valid(tmp_path: Path) -> None:
    kinds = set()
    for block in blocks("ya?ml"):
        raw = read_yaml(block)
        if "blocks" in raw:
            design(raw)
            continue
        telling = {
            "method": MergeRecipe,
            "objective": TrainRecipe,
            "base": TuneRecipe,
            "mixes": StudyRecipe,
            "slices": Mixture,
        }
        kind = next((k for field, k in telling.items() if field in raw), CurateRecipe)
        kind.model_validate(raw)
        kinds.add(kind)
    assert kinds == {MergeRecipe, TrainRecipe, TuneRecipe, StudyRecipe, Mixture, CurateRecipe}
    assert blocks("toml")
    for number, block in enumerate(blocks("toml")):
        if '["*"]' in block:
            assert read_prices(block) == read_prices(DEFAULT_PRICES.read_text())
            continue
        path = tmp_path / f"{number}.toml"
        path.write_text(block)
        assert load_rules((str(path),))
