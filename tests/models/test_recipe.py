"""Recipes of models: lists of blocks in short, and what does not fit together with the reason."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from openhearth.errors import NotFound, UsageError
from openhearth.models import (
    Attention,
    Hyena,
    Model,
    MoE,
    Piece,
    Ragged,
    SwiGLU,
    design,
    read_recipe,
)
from openhearth.models.block_list import read_blocks, read_yaml
from openhearth.models.mixers.registry import MIXERS

SMALL = {"width": 32, "vocab_size": 50, "heads": 2, "context_length": 64}


def names(value: object) -> str:
    return " ".join(block["name"] for block in read_blocks(value))


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("[a, b] * 2", "a b a b"),
        ("[a, b * 2] * 2 + [c]", "a b b a b b c"),
        ("[[a, b] * 2, c] * 2", "a b a b c a b a b c"),
        ("a", "a"),
        ("a * 3 + b", "a a a b"),
        (["a", "b * 2", ["c"], "[a, c] * 2"], "a b b c a c a c"),
        ([{"name": "a", "window": 3}, "b"], "a b"),
        ("[{name: a, window: 3}, b] * 2", "a b a b"),
    ],
)
def test_lists_in_short(written: object, expected: str) -> None:
    assert names(written) == expected


def test_settings_come_with_the_names() -> None:
    (first, second) = read_blocks("[{name: a, channel: {name: moe, experts: 4}}, b]")
    assert first == {"name": "a", "channel": {"name": "moe", "experts": 4}}
    assert second == {"name": "b"}


Nested = st.recursive(
    st.sampled_from(["a", "b", "c"]),
    lambda inner: st.tuples(st.lists(inner, min_size=1, max_size=3), st.integers(1, 3)),
    max_leaves=6,
)


@given(Nested)
def test_what_is_written_is_what_python_makes_of_it(nested: Any) -> None:
    def text(part: Any) -> str:
        if isinstance(part, str):
            return part
        return f"[{', '.join(map(text, part[0]))}] * {part[1]}"

    def flat(part: Any) -> list[str]:
        if isinstance(part, str):
            return [part]
        return [name for inner in part[0] for name in flat(inner)] * part[1]

    assert names(text(nested)).split() == flat(nested)


def test_yaml_takes_such_lists_without_quotation_marks() -> None:
    written = """
    blocks: [a, {name: b, window: 3}] * 2 + [c]  # five
    other: [1, 2]
    quoted: "[a] * 2"
    more:
      - [a, b] * 2
      - c
    """
    raw = read_yaml(written)
    assert names(raw["blocks"]) == "a b a b c"
    assert raw["other"] == [1, 2]
    assert names(raw["quoted"]) == "a a"
    assert names(raw["more"]) == "a b a b c"


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("[a, b", "too few"),
        ("a] * 2", "too many"),
        ("[a}", "too many"),
        ("[a b]", "'a b' is no block"),
        ("[a] * many", "no block"),
        ("[a] * 100000000", "more blocks"),
        ([3], "not 3"),
        ("", "no blocks"),
        ([], "no blocks"),
    ],
)
def test_lists_that_are_none(written: object, text: str) -> None:
    with pytest.raises(UsageError, match=text):
        read_blocks(written)


def test_a_recipe_in_yaml(tmp_path: Path) -> None:
    path = tmp_path / "model.yaml"
    path.write_text(
        "width: 32\nvocab_size: 50\nheads: 2\nkv_heads: 1\ntied_head: true\n"
        "blocks: [hyena, hyena, {name: attention, window: 8, channel: null}] * 2\n"
    )
    config = read_recipe(path)
    assert [block.mixer.name for block in config.blocks] == ["hyena", "hyena", "attention"] * 2
    assert config.blocks[0].mixer == Hyena(taps=2048)
    assert config.blocks[2].mixer == Attention(heads=2, kv_heads=1, head_dim=16, window=8)
    assert config.blocks[0].channel == SwiGLU(hidden=96)
    assert config.blocks[2].channel is None
    assert (config.tied_head, config.family) == (True, "hearth")


def test_a_channel_mixer_for_all_but_some() -> None:
    moe = {"name": "moe", "hidden": 8, "experts": 4, "active": 2}
    config = design(
        SMALL | {"channel": moe, "blocks": ["attention", {"name": "mamba", "channel": "mlp"}]}
    )
    assert config.blocks[0].channel == MoE(hidden=8, experts=4, active=2)
    assert config.blocks[1].channel is not None
    assert config.blocks[1].channel.hidden == 128


@pytest.mark.parametrize("mixer", MIXERS)
def test_every_mixer_has_usual_settings(mixer: str) -> None:
    model = Model(design(SMALL | {"blocks": f"{mixer} * 2"}))
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    with torch.inference_mode():
        assert model(torch.arange(9), Ragged([Piece(9)])).isfinite().all()


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"blocks": "[attention, atention]"}, r"Block 1 \(atention\) is wrong.*'attention'"),
        ({"blocks": [{"name": "attention", "windows": 3}]}, r"Block 0 .* windows: Extra inputs"),
        ({"blocks": [{"name": "attention", "kv_heads": 3}]}, "2 heads cannot share 3 kv_heads"),
        ({"channel": "swigly"}, r"Block 0 \(swigly\) is wrong"),
        ({"channel": {"hidden": 3}}, r"Block 0 \(None\) is wrong"),
        ({"channel": 3}, r"Block 0 \(3\) is wrong"),
        ({"channel": {"name": "moe", "hidden": 8}}, "experts: Field required"),
        ({"heads": 5}, "32 is not 5 heads"),
        ({"heads": "two"}, "heads is 'two'"),
        ({"width": None}, "needs a width"),
        ({"depth": 3}, "no 'depth'"),
        ({"vocab_size": 0}, "vocab_size: Input should be greater than 0"),
        ({"blocks": "[attention, monarch]"}, r"Block 1 \(monarch\) sees what comes after"),
    ],
)
def test_what_is_wrong_is_refused_with_the_reason(changes: dict[str, Any], text: str) -> None:
    with pytest.raises(UsageError, match=text):
        design(SMALL | {"blocks": "[attention]"} | changes)


def test_files_that_are_no_recipes(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no recipe"):
        read_recipe(tmp_path / "none.yaml")
    for content, text in (("a: [", "not YAML"), ("- a", "needs `width`")):
        (tmp_path / "bad.yaml").write_text(content)
        with pytest.raises(UsageError, match=text):
            read_recipe(tmp_path / "bad.yaml")
