"""Models with state spaces from Hugging Face directories: they are those of `transformers`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from openhearth.errors import UsageError
from openhearth.models import Attention, Mamba, import_model, load_model
from openhearth.models.families import read_config
from openhearth.store import Store
from tests.conftest import write_tokenizer
from tests.models.forms import check_forms, check_written, logits, tokens

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
BAMBA = SIZES | {
    "intermediate_size": 80,
    "num_attention_heads": 6,
    "num_key_value_heads": 2,
    "mamba_n_heads": 6,
    "mamba_n_groups": 2,
    "mamba_d_state": 10,
    "mamba_chunk_size": 16,
    "attn_layer_indices": [1],
}
QWEN = SIZES | {
    "intermediate_size": 80,
    "num_attention_heads": 6,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 4,
    "linear_key_head_dim": 6,
    "linear_value_head_dim": 10,
    "layer_types": ["linear_attention", "full_attention", "linear_attention"],
}
EXPERTS = {
    "num_experts": 6,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 16,
    "shared_expert_intermediate_size": 24,
    "mlp_only_layers": [0],
}
NEXT = QWEN | {"num_experts": 0}
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
    "jamba, experts": ("Jamba", JAMBA | {"num_experts": 4, "num_experts_per_tok": 2}),
    "bamba": ("Bamba", BAMBA),
    "bamba, biases": ("Bamba", BAMBA | {"attention_bias": True, "mlp_bias": True}),
    "qwen3-next": ("Qwen3Next", NEXT),
    "qwen3-next, biases": ("Qwen3Next", NEXT | {"attention_bias": True}),
    "qwen3-next, experts": ("Qwen3Next", QWEN | EXPERTS),
    "qwen3.5": ("Qwen3_5", QWEN),
    "qwen3.5, tied": ("Qwen3_5", QWEN | {"tie_word_embeddings": True}),
    "jamba, tied": ("Jamba", JAMBA | {"tie_word_embeddings": True, "mamba_proj_bias": True}),
}


@torch.inference_mode()
def check_parity(theirs: transformers.PreTrainedModel, tmp_path: Path) -> None:
    """Ours, from what theirs writes, gives the same with random weights, in every form; and so does
    theirs, from what we write.
    """
    torch.manual_seed(0)
    for parameter in theirs.eval().parameters():  # biases and norms are not random by default
        torch.nn.init.normal_(parameter, std=0.2)
    theirs.save_pretrained(tmp_path)
    artifact = import_model(Store(tmp_path / "home"), tmp_path)
    ours = load_model(artifact, "float32")
    ids = tokens(150)
    expected = theirs(ids[None]).logits[0]
    assert expected.std() > 0.05  # the comparison would mean nothing between zeros
    torch.testing.assert_close(logits(ours, ids), expected, atol=1e-4, rtol=0)
    check_forms(ours)
    check_written(artifact, theirs, tmp_path / "out")


@pytest.mark.parametrize("family", FAMILIES)
def test_is_that_of_transformers(family: str, tmp_path: Path) -> None:
    name, settings = FAMILIES[family]
    kind = getattr(transformers, f"{name}ForCausalLM")
    check_parity(
        kind(kind.config_class(vocab_size=write_tokenizer(tmp_path), **settings)), tmp_path
    )


def raw(name: str, **settings: Any) -> dict[str, Any]:
    described = getattr(transformers, f"{name}ForCausalLM").config_class(**settings)
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


def test_qwen_has_attention_in_every_fourth_block() -> None:
    config = read_config(raw("Qwen3_5") | {"layer_types": None})
    found = [i for i, block in enumerate(config.blocks) if isinstance(block.mixer, Attention)]
    assert found == list(range(3, 32, 4))


def test_of_a_model_that_sees_what_reads_and_writes_is_read(tmp_path: Path) -> None:
    text = QWEN | {"vocab_size": write_tokenizer(tmp_path)}
    vision = {
        "depth": 1,
        "hidden_size": 16,
        "intermediate_size": 16,
        "num_heads": 2,
        "out_hidden_size": 48,
    }
    config = transformers.Qwen3_5Config(text_config=text, vision_config=vision)
    check_parity(transformers.Qwen3_5ForConditionalGeneration(config), tmp_path)


@pytest.mark.parametrize(
    ("name", "settings", "what"),
    [
        ("Qwen3_5", {"hidden_act": "relu"}, "'relu'"),
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
