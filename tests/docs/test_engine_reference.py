"""The reference of the engine: its examples run, and its tables name what there is, and no more."""

from __future__ import annotations

import dataclasses
import inspect
import json
import re
from pathlib import Path
from typing import Any

import pytest

from openhearth import errors, inference
from openhearth.inference.served import Settings
from openhearth.models import pull
from openhearth.platform.errors import from_hearth
from openhearth.platform.replies import UsageReply
from openhearth.store import Store

PAGE = (Path(__file__).parents[2] / "docs/reference/engine.md").read_text()
WRITTEN = {"none": None, "auto": "auto", "1 GiB": 2**30, "{}": {}, "()": (), "True": True}


def table(after: str) -> dict[str, str]:
    """The second cells of the first table after these words, by the names in the first ones."""
    text = PAGE.partition(after)[2]
    lines = text[text.index("\n| ") :].partition("\n\n")[0]
    rows = re.findall(r"^\| `([^|]*)` \| *([^|]*?) *\|", lines, re.MULTILINE)
    return {name: second for first, second in rows for name in first.split("`, `")}


def defaults(kind: Any) -> dict[str, Any]:
    """Those of a dataclass."""
    made = dataclasses.MISSING
    return {
        field.name: field.default_factory() if field.default is made else field.default
        for field in dataclasses.fields(kind)
    }


def stated(rows: dict[str, str]) -> dict[str, Any]:
    return {name: WRITTEN[said] if said in WRITTEN else float(said) for name, said in rows.items()}


@pytest.fixture
def store(
    tmp_path: Path,
    tiny_directory: Path,
    encoder_directory: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One that holds small models under the names in the examples."""
    monkeypatch.setenv("OPENHEARTH_HOME", str(tmp_path / "home"))
    pull(Store(), str(tiny_directory), name="smollm2-135m")
    pull(Store(), str(encoder_directory), name="minilm-l6")


@pytest.mark.usefixtures("store")
def test_examples_run_one_after_another(capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, Any] = {}
    for example in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        exec(compile(example, "engine.md", "exec"), names)
        assert capsys.readouterr().out.strip()
    assert names["vectors"].shape == (2, 32)


def test_settings_and_options_are_all_there_with_their_defaults() -> None:
    assert stated(table("## Opening")) == defaults(Settings)
    assert stated(table("All others are those of `Sampling`")) == defaults(inference.Sampling)
    parameters = inspect.signature(inference.Engine.stream).parameters.values()
    options = {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}
    assert stated(table("A prompt is a text")) == options


def test_methods_exist() -> None:
    methods = re.findall(r"^\| `(\w+)\(", PAGE, re.MULTILINE)
    assert len(methods) == 8
    assert all(callable(getattr(inference.Engine, name)) for name in methods)


def test_answers_and_their_parts_have_the_fields() -> None:
    fields = table("## What comes back").keys()
    assert fields == defaults(inference.Answer).keys() == defaults(inference.Delta).keys()


def test_errors_have_the_status() -> None:
    rows = re.findall(r"^\| `(\w+)` \| .* \| (\d{3}) \|$", PAGE, re.MULTILINE)
    assert len(rows) == 8
    for name, status in rows:
        error = getattr(inference, name, None) or getattr(errors, name)
        assert from_hearth(error("…")).status == int(status)


def leaves(value: dict[str, Any], before: str = "") -> set[str]:
    return {
        leaf
        for name, inner in value.items()
        for leaf in (
            leaves(inner, f"{before}{name}.") if isinstance(inner, dict) else {before + name}
        )
    }


def test_usage_is_as_it_is_sent() -> None:
    (example,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    shown = json.loads(example)
    assert UsageReply.model_validate(shown).model_dump() == shown
    assert table("Each answer tells its cost").keys() == leaves(shown)
