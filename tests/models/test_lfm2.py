"""LFM2: logits are those of `transformers` on the same random weights, in every form."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from transformers import Lfm2Config

from openhearth.errors import UsageError
from openhearth.models import Attention, ShortConv
from openhearth.models.families import read_config
from tests.models.forms import both, check_parity, check_written, imported

SIZES = {
    "hidden_size": 48,
    "intermediate_size": 80,
    "block_multiple_of": 16,
    "num_hidden_layers": 4,
    "num_attention_heads": 6,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
}
HYBRID = {"layer_types": ["conv", "full_attention", "conv", "full_attention"]}
OTHER = {
    "full_attn_idxs": [2],
    "conv_bias": True,
    "conv_L_cache": 4,
    "block_auto_adjust_ff_dim": False,
    "tie_word_embeddings": False,
    "rope_parameters": {"rope_type": "linear", "rope_theta": 1e4, "factor": 4.0},
}


@pytest.mark.parametrize("settings", [HYBRID, OTHER])
def test_logits_are_those_of_transformers(settings: dict[str, Any], tmp_path: Path) -> None:
    ours, theirs = both("Lfm2", SIZES | settings, tmp_path)
    check_parity(ours, theirs)
    check_written(imported(tmp_path), theirs, tmp_path / "out")


def test_names_of_older_files_are_known() -> None:
    config = read_config(
        {
            "architectures": ["Lfm2ForCausalLM"],
            "vocab_size": 9,
            "hidden_size": 1024,
            "block_ff_dim": 6656,
            "intermediate_size": 1,
            "num_hidden_layers": 2,
            "num_attention_heads": 16,
            "num_key_value_heads": 8,
            "max_position_embeddings": 128000,
            "full_attn_idxs": [1],
            "tie_embedding": False,
        }
    )
    assert [type(block.mixer) for block in config.blocks] == [ShortConv, Attention]
    assert {block.channel.hidden for block in config.blocks} == {4608}
    assert not config.tied_head


def test_other_kinds_of_blocks_are_refused() -> None:
    raw = Lfm2Config(num_hidden_layers=1).to_dict() | {"layer_types": ["mamba"]}
    with pytest.raises(UsageError, match="'mamba' in LFM2"):
        read_config(raw | {"architectures": ["Lfm2ForCausalLM"]})
