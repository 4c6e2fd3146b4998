"""OLMo: logits are those of `transformers` on random weights, with all that files may say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from openhearth.errors import CorruptArtifact
from openhearth.models import Attention, GatedDelta
from openhearth.models.families import read_config
from tests.models.families import BASE, FAMILIES
from tests.models.forms import both, check_parity, check_written, imported

HYBRID = FAMILIES["OlmoHybridForCausalLM"].settings
STRETCHED = {"rope_type": "linear", "rope_theta": 1e4, "factor": 4.0}
KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "olmo2, biases, stretched, tied": (
        "Olmo2",
        BASE | {"attention_bias": True, "rope_parameters": STRETCHED, "tie_word_embeddings": True},
    ),
    "olmo3, stretched where all is seen": (
        "Olmo3",
        BASE | {"num_hidden_layers": 4, "sliding_window": 24, "rope_scaling": STRETCHED},
    ),
    "hybrid without positions": (
        "OlmoHybrid",
        HYBRID | {"rope_parameters": {"rope_type": "default", "rope_theta": None}},
    ),
    "hybrid, biases, no negative shares": (
        "OlmoHybrid",
        HYBRID
        | {"attention_bias": True, "linear_allow_neg_eigval": False, "linear_value_head_dim": 20},
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_is_that_of_transformers(kind: str, tmp_path: Path) -> None:
    ours, theirs = both(*KINDS[kind], tmp_path)
    check_parity(ours, theirs)
    check_written(imported(tmp_path), theirs, tmp_path / "out")


@pytest.mark.parametrize("spoilt", [torch.ones(3, 1, 4).half(), torch.ones(3, 1, 5)])
def test_parts_that_do_not_go_together_are_refused(spoilt: torch.Tensor, tmp_path: Path) -> None:
    both("OlmoHybrid", HYBRID, tmp_path)
    path = tmp_path / "model.safetensors"
    damaged = load_file(path) | {"model.layers.0.linear_attn.v_conv1d.weight": spoilt}
    save_file(damaged, path)
    with pytest.raises(CorruptArtifact, match=r"q_conv1d\.weight and those like it differ"):
        imported(tmp_path)


def raw(name: str, **settings: Any) -> dict[str, Any]:
    return HYBRID | {"architectures": [f"{name}ForCausalLM"], "vocab_size": 9} | settings


def test_older_files_stretch_what_sees_all() -> None:
    kinds = ["sliding_attention", "full_attention", "sliding_attention"]
    scaling = {"rope_type": "linear", "factor": 4.0}
    config = read_config(raw("Olmo3", layer_types=kinds, rope_scaling=scaling))
    local, everywhere = config.blocks[0].mixer, config.blocks[1].mixer
    assert (local.rope_factors, local.rope_theta) == (None, 5e5)
    assert (everywhere.rope_factors, everywhere.rope_theta) == ((4.0,) * 8, 5e5)


def test_of_a_hybrid_every_fourth_block_has_attention_and_norms_after_it() -> None:
    config = read_config(raw("OlmoHybrid", layer_types=None, num_hidden_layers=8))
    found = [(type(block.mixer), block.norms) for block in config.blocks]
    assert found == ([(GatedDelta, None)] * 3 + [(Attention, "after")]) * 2
