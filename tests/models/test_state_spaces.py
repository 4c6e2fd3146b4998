"""Models with state spaces from Hugging Face directories: they are those of `transformers`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import transformers

from openhearth.errors import UsageError
from openhearth.models import Attention, Mamba
from openhearth.models.families import read_config
from tests.models.state_spaces import both, check_parity

SIZES = {"hidden_size": 48, "num_hidden_layers": 3}
MAMBA2 = SIZES | {"num_heads": 6, "head_dim": 16, "state_size": 10, "n_groups": 2, "chunk_size": 16}
JAMBA = SIZES | {
    "intermediate_size": 80,
    "num_attention_heads": 6,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
    "num_experts": 1,
    "attn_layer_period": 3,
    "attn_layer_offset": 1,
}
FAMILIES: dict[str, tuple[str, dict[str, Any]]] = {
    "mamba": ("Mamba", SIZES),
    "mamba, biases": (
        "Mamba",
        SIZES
        | {"use_bias": True, "use_conv_bias": False, "state_size": 5, "tie_word_embeddings": False},
    ),
    "mamba2": ("Mamba2", MAMBA2),
    "mamba2, held": (
        "Mamba2",
        MAMBA2 | {"time_step_limit": (0.1, 0.7), "use_bias": True, "tie_word_embeddings": True},
    ),
    "jamba": ("Jamba", JAMBA),
    "jamba, tied": ("Jamba", JAMBA | {"tie_word_embeddings": True, "mamba_proj_bias": True}),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_is_that_of_transformers(family: str, tmp_path: Path) -> None:
    check_parity(*both(*FAMILIES[family], tmp_path))


def raw(name: str, **settings: Any) -> dict[str, Any]:
    described = getattr(transformers, f"{name}Config")(**settings)
    return described.to_dict() | {"architectures": [f"{name}ForCausalLM"]}


def test_older_files_leave_things_out() -> None:
    """As state-spaces/mamba-130m-hf does."""
    config = read_config(
        {
            "architectures": ["MambaForCausalLM"],
            "hidden_size": 768,
            "intermediate_size": 1536,
            "num_hidden_layers": 24,
            "state_size": 16,
            "time_step_rank": 48,
            "vocab_size": 50280,
        }
    )
    assert config.tied_head
    assert config.blocks[0].mixer == Mamba(inner=1536, state=16, step_rank=48)


def test_jamba_has_attention_in_some_blocks() -> None:
    config = read_config(raw("Jamba", num_experts=1))
    found = [i for i, block in enumerate(config.blocks) if isinstance(block.mixer, Attention)]
    assert found == [4, 12, 20, 28]


@pytest.mark.parametrize(
    ("name", "settings", "what"),
    [
        ("Jamba", {}, "experts"),
        ("Mamba", {"hidden_act": "relu"}, "'relu'"),
        ("Mamba2", {"hidden_act": "relu"}, "'relu'"),
    ],
)
def test_what_is_not_supported_is_refused(name: str, settings: dict[str, Any], what: str) -> None:
    with pytest.raises(UsageError, match=what):
        read_config(raw(name, **settings))


def test_sizes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(UsageError, match="num_heads times head_dim"):
        read_config(raw("Mamba2") | {"num_heads": 7})
