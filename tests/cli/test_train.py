"""`hearth train` and `hearth tune` from the command line: recipes, files, versions, previews."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from openhearth.models import pull
from openhearth.store import Store

TUNE = ("tune", "--model", "tiny", "--dtype", "float32", "--rank", "2", "--epochs", "1")


@pytest.fixture(autouse=True)
def model(home: Path, tiny_directory: Path) -> None:
    pull(Store(home), str(tiny_directory), name="tiny")


@pytest.fixture
def data(tmp_path: Path) -> str:
    """Eight examples, and one whose answer is empty."""
    rows = [{"prompt": f"number {i}", "completion": f" is {i}"} for i in range(8)]
    rows.append({"prompt": "nothing", "completion": ""})
    path = tmp_path / "data.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def test_tune_makes_versions_that_go_on_from_each_other(hearth: Any, home: Path, data: str) -> None:
    first = hearth(*TUNE, "--data", data, "--out", "me/bot")
    assert first.code == 0, first.err
    assert "(me/bot:1, me/bot): 1 steps" in first.out
    assert "`hearth chat me/bot`" in first.out
    going_on = ("--json", "tune", "--from", "me/bot:1", "--data", data, "--seed", "1")
    second = hearth(*going_on, "--epochs", "2", "--dtype", "float32")
    assert second.code == 0, second.err
    assert second.json["names"] == ["me/bot:2", "me/bot"]
    store = Store(home)
    assert store.get("me/bot:2").manifest.inputs["from"] == store.get("me/bot:1").digest
    # A file is gone through as often as it says, however many tokens it has.
    assert second.json["metrics"]["tokens"] == 2 * _tokens(hearth, data)


def _tokens(hearth: Any, data: str) -> int:
    return hearth("--json", *TUNE, "--data", data, "--preview").json["tokens"]


def test_a_preview_marks_what_is_learnt_and_trains_nothing(
    hearth: Any, home: Path, data: str
) -> None:
    shown = hearth(*TUNE, "--data", data, "--preview")
    assert shown.code == 0, shown.err
    assert "number 0⟦ is 0<|im_end|>⟧" in shown.out
    assert shown.out.count("-- example") == 3
    assert "8 examples, " in shown.out
    assert "1 left out as empty: lines 9" in shown.out
    assert not [a for a in Store(home).artifacts() if a.kind == "adapter"]


def test_a_preview_tells_the_answers_of_a_preference_apart(hearth: Any, tmp_path: Path) -> None:
    data, recipe = tmp_path / "data.jsonl", tmp_path / "recipe.yaml"
    data.write_text(json.dumps({"prompt": "1 + 1 =", "chosen": " 2", "rejected": " 3"}) + "\n")
    recipe.write_text(f"model: tiny\ndata: {data}\nobjective: {{name: preference}}\n")
    shown = hearth("train", str(recipe), "--preview").out
    assert "-- example 1, chosen\n1 + 1 =⟦ 2<|im_end|>⟧" in shown.replace("<s>", "")
    assert "-- example 1, rejected\n1 + 1 =⟦ 3<|im_end|>⟧" in shown.replace("<s>", "")


def test_train_carries_out_a_recipe(hearth: Any, home: Path, data: str, tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(
        f"model: tiny\ndata: {data}\nheldout: {data}\nadapter: null\ndtype: float32\n"
    )
    with recipe.open("a") as file:
        file.write("evaluation: {every: 1}\nname: whole\n")
    done = hearth("train", str(recipe))
    assert done.code == 0, done.err
    assert done.out.startswith("Model ")
    assert ", held out " in done.out
    assert Store(home).get("whole:1").kind == "model"
    assert hearth("train", str(recipe), "--preview").code == 0
    again = hearth("--json", "train", str(recipe), "--out", "other")
    assert again.json["digest"] == Store(home).get("whole").digest


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("model: tiny\ndata: x.jsonl\n", "There is no file x.jsonl"),
        ("model: tiny\ndata: nothing\n", "Nothing in the store is called 'nothing'"),
        ("model: tiny\n", "wrong at data: this field must be there"),
        ("data: x\n", "name a model, or a version to go on `from`"),
    ],
)
def test_what_is_wrong_is_said(hearth: Any, tmp_path: Path, text: str, said: str) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(text)
    failed = hearth("train", str(recipe))
    assert failed.code in (2, 3)
    assert said in failed.err
    assert "bug" not in failed.err


def test_tune_needs_data(hearth: Any) -> None:
    assert "wrong at data" in hearth("tune", "--model", "tiny").err
