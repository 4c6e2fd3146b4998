"""NemotronH: logits are those of `transformers`, and the layers of its files find their blocks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

from openhearth.errors import UsageError
from openhearth.models import load_adapter, load_model
from openhearth.models.families import read_config
from openhearth.models.names import translate
from openhearth.store import Store
from tests.conftest import make_adapter
from tests.models.families import NEMOTRON_H
from tests.models.forms import both, check_parity, check_written, imported

OTHER = {
    "use_bias": True,
    "use_conv_bias": False,
    "mlp_bias": True,
    "time_step_min": 0.1,
    "layers_block_type": ["full_attention", "linear_attention", "mlp"],
}


@pytest.mark.parametrize("settings", [{}, OTHER])
def test_is_that_of_transformers(settings: dict[str, Any], tmp_path: Path) -> None:
    ours, theirs = both("NemotronH", NEMOTRON_H | settings, tmp_path)
    check_parity(ours, theirs)
    check_written(imported(tmp_path), theirs, tmp_path / "out")


def raw(**settings: Any) -> dict[str, Any]:
    given = {"architectures": ["NemotronHForCausalLM"], "vocab_size": 9}
    return NEMOTRON_H | given | settings


def test_layers_have_numbers_of_their_own() -> None:
    """As in files that have a letter for each."""
    config = read_config(raw(layers_block_type=None, hybrid_override_pattern="M-M*-"))
    assert config == read_config(raw())
    assert [block.channel is not None for block in config.blocks] == [True, False, True]
    found = [
        translate(f"blocks.{name}.weight", config.names)
        for name in ("0.mixer.into", "0.channel.up", "1.mixer_norm", "2.mixer.q", "2.channel_norm")
    ]
    assert found == [
        "backbone.layers.0.mixer.in_proj.weight",
        "backbone.layers.1.mixer.up_proj.weight",
        "backbone.layers.2.norm.weight",
        "backbone.layers.3.mixer.q_proj.weight",
        "backbone.layers.4.norm.weight",
    ]


def test_adapters_call_layers_so_too(tmp_path: Path) -> None:
    both("NemotronH", NEMOTRON_H, tmp_path)
    base, store = imported(tmp_path), Store(tmp_path / "home")
    make_adapter(store, base, "bot")
    stored = load_file(store.get("bot").path("adapter_model.safetensors"))
    assert "base_model.model.backbone.layers.4.mixer.up_proj.lora_A.weight" in stored
    model = load_model(base, "float32")
    load_adapter(model, store.get("bot"), "bot")
    assert 2 * len(model.adapter("bot")) == len(stored)


@pytest.mark.parametrize(
    ("pattern", "what"), [("ME", "'moe'"), ("-M", "follows no mixer"), ("M--", "follows no mixer")]
)
def test_other_layers_are_refused(pattern: str, what: str) -> None:
    with pytest.raises(UsageError, match=what):
        read_config(raw(layers_block_type=None, hybrid_override_pattern=pattern))
