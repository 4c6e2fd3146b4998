"""`hearth models`: what it says of a model, and models in and out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import transformers

RECIPE = """
width: 64
vocab_size: 300
heads: 2
blocks: [mamba, mamba, {name: attention, window: 32}] * 2
"""


@pytest.fixture
def recipe(tmp_path: Path) -> str:
    path = tmp_path / "hybrid.yaml"
    path.write_text(RECIPE)
    return str(path)


def test_a_recipe_is_described(hearth: Any, recipe: str) -> None:
    result = hearth("models", "describe", recipe, "--context", "4096")
    assert result.code == 0
    assert "width 64, vocabulary 300, 6 blocks" in result.out
    assert "0-1     mamba" in result.out
    assert "2       attention, window 32" in result.out
    assert "A text of 4096 tokens keeps" in result.out
    value = hearth("models", "describe", recipe, "--context", "4096", "--json").json
    total = value["total"]
    assert value["state_bytes"] == 4096 * total["bytes_per_token"] + total["bytes_per_sequence"]
    assert sum(layers["parameters"] for layers in value["layers"]) < total["parameters"]


def test_what_is_wrong_with_a_recipe_is_said(hearth: Any, recipe: str) -> None:
    Path(recipe).write_text(RECIPE.replace("mamba,", "mambo,"))
    result = hearth("models", "describe", recipe)
    assert result.code == 2
    assert "Block 0 (mambo) is wrong" in result.err
    assert hearth("models", "describe", "none.yaml").code == 3


def test_in_and_out_and_in(hearth: Any, tiny_directory: Path, tmp_path: Path) -> None:
    result = hearth("models", "import", str(tiny_directory), "--name", "tiny")
    assert result.out.startswith("tiny: model ")
    described = hearth("models", "describe", "tiny", "--json").json
    directory, file = tmp_path / "out", tmp_path / "out.gguf"
    assert "6 files" in hearth("models", "export", "tiny", "--to", str(directory)).out
    theirs = transformers.AutoModelForCausalLM.from_pretrained(directory)
    assert theirs.num_parameters() == described["total"]["parameters"]
    assert hearth("models", "export", "tiny", "--to", str(file), "--type", "F16").code == 0
    assert hearth("models", "import", str(file)).out.startswith("out: model ")
    again = hearth("models", "describe", "out", "--json").json
    assert again["total"] == described["total"]


def test_what_is_not_there_is_said(hearth: Any, tmp_path: Path) -> None:
    assert hearth("models", "import", str(tmp_path / "none")).code == 3
    assert hearth("models", "export", "none", "--to", str(tmp_path / "out")).code == 3


def test_models_are_merged(hearth: Any, tiny_directory: Path, tmp_path: Path) -> None:
    hearth("models", "import", str(tiny_directory), "--name", "tiny")
    path = tmp_path / "merge.yaml"
    path.write_text("method: slerp\nmodels: [{model: tiny}, {model: tiny}]\nshare: 0.3\n")
    result = hearth("models", "merge", str(path), "--name", "both")
    assert result.out.startswith("both: model ")
    same = [hearth("models", "describe", name, "--json").json for name in ("tiny", "both")]
    assert same[0] == same[1]


def test_a_model_is_quantised(hearth: Any, tiny_directory: Path, tmp_path: Path) -> None:
    file, text = tmp_path / "tiny.gguf", tmp_path / "text.txt"
    text.write_text("The quick brown fox. " * 20)
    arguments = ("models", "quantize", str(tiny_directory), "--text", str(text))
    named = hearth(*arguments, "--to", "Q4_0", "--out", "small", "--json").json
    assert named["after"]["bits"] < 7 < named["before"]["bits"]
    assert named["kl"] > 0
    assert hearth("models", "describe", "small").code == 0
    written = hearth(*arguments, "--to", "int8", "--out", str(file))
    assert written.code == 0
    assert "bits a weight  32.00    " in written.out
    assert "KL 0.0" in written.out
    assert [part.name for part in tmp_path.glob("tiny*")] == ["tiny.gguf"]
    again = hearth(
        "models", "quantize", str(file), "--text", str(text), "--to", "q4_0", "--out", "x"
    )
    assert "MODEL was quantised itself" in again.out
    assert "because rows are no whole blocks" in again.out


def test_quantising_refuses_before_it_begins(
    hearth: Any, tiny_directory: Path, tmp_path: Path
) -> None:
    there = tmp_path / "there.gguf"
    there.write_bytes(b"mine")
    hearth("models", "import", str(tiny_directory), "--name", "tiny")
    arguments = ("models", "quantize", "tiny", "--to", "q4_0", "--out")
    for out in (str(there), "tiny"):
        assert "is there already" in hearth(*arguments, out).err
    assert there.read_bytes() == b"mine"
    assert "cannot name an artifact" in hearth(*arguments, "No Name").err
    assert hearth(*arguments, "new", "--text", str(tmp_path / "none")).code == 3
    assert "must be one of int8" in hearth(*arguments[:3], "--to", "q2", "--out", "new").err
    assert hearth("models", "describe", "new").code == 3
