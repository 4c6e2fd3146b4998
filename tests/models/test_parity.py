"""Our logits are those of `transformers` on the same random weights, in every form of computing."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers

from openhearth.inference.executor import Work, open_executor
from openhearth.inference.native import NoKernel, _engine
from openhearth.models import Model, Piece, Ragged, import_model, load_model
from openhearth.store import Artifact, Store
from tests.conftest import write_tokenizer

SIZES = {
    "hidden_size": 48,
    "intermediate_size": 80,
    "num_hidden_layers": 3,
    "num_attention_heads": 6,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
    "initializer_range": 0.2,
}
LLAMA3 = {
    "rope_type": "llama3",
    "rope_theta": 500.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}
WINDOWED = {"use_sliding_window": True, "sliding_window": 24}
GEMMA3 = {
    "head_dim": 16,
    "query_pre_attn_scalar": 20,
    "sliding_window": 24,
    "layer_types": ["sliding_attention", "full_attention", "sliding_attention"],
}
GEMMA2 = {
    "head_dim": 16,
    "query_pre_attn_scalar": 20,
    "sliding_window": 24,
    "attn_logit_softcapping": 2.0,
    "final_logit_softcapping": 3.0,
}
EXPERTS = {"num_experts": 8, "num_experts_per_tok": 3, "moe_intermediate_size": 64}
DEEPSEEK = {
    "n_routed_experts": 8,
    "num_experts_per_tok": 3,
    "moe_intermediate_size": 64,
    "n_group": 4,
    "topk_group": 2,
    "n_shared_experts": 2,
    "first_k_dense_replace": 1,
    "norm_topk_prob": True,
    "routed_scaling_factor": 1.5,
}
FAMILIES = {
    "llama": ("Llama", {"tie_word_embeddings": False}),
    "llama, tied": ("Llama", {"tie_word_embeddings": True}),
    "llama, wide heads": ("Llama", {"head_dim": 16}),
    "llama 3.1": ("Llama", {"rope_parameters": LLAMA3}),
    "llama, linear": (
        "Llama",
        {"rope_parameters": {"rope_type": "linear", "rope_theta": 1e4, "factor": 4.0}},
    ),
    "llama, biases": ("Llama", {"attention_bias": True, "mlp_bias": True}),
    "mistral": ("Mistral", {"sliding_window": None}),
    "mistral, window": ("Mistral", {"sliding_window": 24}),
    "qwen2": ("Qwen2", {}),
    "qwen2, late windows": ("Qwen2", WINDOWED | {"max_window_layers": 1}),
    "qwen3": ("Qwen3", {"head_dim": 16}),
    "qwen3, late windows": ("Qwen3", WINDOWED | {"max_window_layers": 2, "attention_bias": True}),
    "gemma3": ("Gemma3", GEMMA3),
    "gemma3, stretched": (
        "Gemma3",
        GEMMA3
        | {
            "rope_parameters": {
                "full_attention": {"rope_type": "linear", "rope_theta": 1e6, "factor": 8.0},
                "sliding_attention": {"rope_type": "default", "rope_theta": 1e3},
            }
        },
    ),
    "gemma2": ("Gemma2", GEMMA2),
    "phi": ("Phi", {}),
    "phi, a fourth rotates": (
        "Phi",
        {"rope_parameters": {"rope_type": "default", "partial_rotary_factor": 0.25}},
    ),
    "phi3": ("Phi3", {"pad_token_id": None}),
    "phi3, window": ("Phi3", {"pad_token_id": None, "sliding_window": 24}),
    "mixtral": ("Mixtral", {"num_local_experts": 5}),
    "qwen2 moe": ("Qwen2Moe", EXPERTS | {"shared_expert_intermediate_size": 96}),
    "qwen3 moe": ("Qwen3Moe", EXPERTS | {"norm_topk_prob": True, "head_dim": 16}),
    "qwen3 moe, some blocks": ("Qwen3Moe", EXPERTS | {"decoder_sparse_step": 2}),
    "dots1": ("Dots1", DEEPSEEK),
    "glm4 moe": ("Glm4Moe", DEEPSEEK | {"use_qk_norm": True, "attention_bias": True}),
}
"""Family and what differs from the others."""
WITHOUT_KERNEL = {"Gemma2"}


def imported(
    family: str, tmp_path: Path, **sizes: int
) -> tuple[Artifact, transformers.PreTrainedModel]:
    """A model of `transformers` with random weights, and the directory that it wrote in a store."""
    name, settings = FAMILIES[family]
    vocabulary = write_tokenizer(tmp_path)
    kind = "Gemma3Text" if name == "Gemma3" else name
    config = getattr(transformers, f"{kind}Config")(
        vocab_size=vocabulary, **SIZES | sizes, **settings
    )
    torch.manual_seed(0)
    theirs = getattr(transformers, f"{name}ForCausalLM")(config).eval()
    for weight in theirs.state_dict().values():  # some are not random by default
        if weight.is_floating_point():
            torch.nn.init.normal_(weight, std=0.2)
    theirs.save_pretrained(tmp_path)
    return import_model(Store(tmp_path / "home"), tmp_path), theirs


def both(family: str, tmp_path: Path) -> tuple[Model, transformers.PreTrainedModel]:
    """The same random weights in our model and in theirs."""
    artifact, theirs = imported(family, tmp_path)
    return load_model(artifact, "float32"), theirs


def tokens(count: int, seed: int = 0) -> torch.Tensor:
    return torch.randint(0, 300, (count,), generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("family", FAMILIES)
def test_logits_are_those_of_transformers(family: str, tmp_path: Path) -> None:
    ours, theirs = both(family, tmp_path)
    ids = tokens(150)
    with torch.inference_mode():
        mine = ours.logits(ours(ids, Ragged([Piece(len(ids))])))
        expected = theirs(ids[None]).logits[0]
    assert expected.std() > 0.05  # the comparison would mean nothing between zeros
    torch.testing.assert_close(mine, expected, atol=1e-4, rtol=0)


@pytest.mark.skipif(_engine is None, reason="the extension was not built")
@pytest.mark.parametrize("family", FAMILIES)
def test_native_logits_are_those_of_transformers(family: str, tmp_path: Path) -> None:
    """With rows that fill whole blocks of 32 weights, as the kernels want them."""
    artifact, theirs = imported(family, tmp_path, hidden_size=96, intermediate_size=160)
    if FAMILIES[family][0] in WITHOUT_KERNEL:
        with pytest.raises(NoKernel, match="torch executor"):
            open_executor("native", artifact, memory=2**22, dtype="float32")
        return
    ids = tokens(150)
    executor = open_executor("native", artifact, memory=2**22, dtype="float32")
    found = executor.step([Work(ids.tolist(), 0, [4, 0, 3, 1, 2], wanted=150)])
    with torch.inference_mode():
        expected = theirs(ids[None]).logits[0]
    np.testing.assert_allclose(found, expected, atol=1e-4, rtol=0)


@pytest.fixture(
    scope="module",
    params=["llama 3.1", "gemma3", "gemma2", "phi", "phi3", "mixtral", "dots1", "glm4 moe"],
)
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Model:
    return both(request.param, tmp_path_factory.mktemp("model"))[0]


def whole(model: Model, ids: torch.Tensor) -> torch.Tensor:
    return model(ids, Ragged([Piece(len(ids))]))


@torch.inference_mode()
def test_documents_in_one_batch_do_not_see_each_other(model: Model) -> None:
    first, second = tokens(17, 1), tokens(29, 2)
    together = model(torch.cat([first, second]), Ragged([Piece(17), Piece(29)]))
    apart = torch.cat([whole(model, first), whole(model, second)])
    torch.testing.assert_close(together, apart, atol=1e-5, rtol=0)


@torch.inference_mode()
@pytest.mark.parametrize("cuts", [[40], [1] * 40, [13, 1, 1, 20, 5], [1, 39]])
def test_chunks_and_single_tokens_give_what_the_whole_gives(model: Model, cuts: list[int]) -> None:
    ids, states, done, parts = tokens(40), model.new_states(9, 8), 0, []
    for cut in cuts:
        piece = Piece(cut, done, pages=[7, 2, 5, 1, 8][: -(-(done + cut) // 8)])
        parts.append(model(ids[done : done + cut], Ragged([piece]), states))
        done += cut
    torch.testing.assert_close(torch.cat(parts), whole(model, ids), atol=1e-4, rtol=0)


@torch.inference_mode()
def test_sequences_of_different_length_are_decoded_together(model: Model) -> None:
    """Three of them, with their pages in disorder, while a chunk of a fourth is computed."""
    lengths = {"a": 5, "b": 31, "c": 12}
    pages = {"a": [3], "b": [9, 0, 6, 1], "c": [4, 8], "d": [5, 2]}
    states = model.new_states(10, 8)
    for state in states:  # what was in the pages before must not matter
        state.keys.fill_(torch.nan)
        state.values.fill_(torch.nan)
    ids = {name: tokens(n + 1, seed=n) for name, n in lengths.items()}
    for name, n in lengths.items():
        model(ids[name][:n], Ragged([Piece(n, 0, pages[name])]), states)
    chunk = tokens(9, seed=9)
    decodes = {name: Piece(1, n, pages[name]) for name, n in lengths.items()}
    pieces = [decodes["c"], Piece(9, 0, pages["d"]), decodes["b"], decodes["a"]]
    rows = torch.cat([ids["c"][-1:], chunk, ids["b"][-1:], ids["a"][-1:]])
    hidden = model(rows, Ragged(pieces), states)
    for row, name in ((0, "c"), (10, "b"), (11, "a")):
        expected = whole(model, ids[name])[-1]
        torch.testing.assert_close(hidden[row], expected, atol=1e-4, rtol=0)
    torch.testing.assert_close(hidden[1:10], whole(model, chunk), atol=1e-4, rtol=0)


@torch.inference_mode()
def test_bfloat16_stays_close(model: Model) -> None:
    ids = tokens(30)
    exact = whole(model, ids)
    rough = whole(copy.deepcopy(model).to(torch.bfloat16), ids).float()
    # bfloat16 has 8 bits of mantissa; three blocks add up their rounding.
    assert (rough - exact).abs().mean() < 0.03 * exact.abs().mean()
