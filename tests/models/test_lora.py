"""Adapters: what they add, whom they serve, and that `peft` reads them as we do."""

from __future__ import annotations

import json
from pathlib import Path

import peft
import pytest
import torch
import transformers

from openhearth.errors import CorruptArtifact, UsageError
from openhearth.models import (
    LoraConfig,
    Model,
    Piece,
    Ragged,
    add_adapter,
    go_on_with_adapter,
    import_adapter,
    load_adapter,
    load_model,
    low_ranks,
    pull,
    save_adapter,
)
from openhearth.store import Artifact, Draft, Store
from tests.conftest import write_tokenizer

IDS = torch.arange(20, 60)


@pytest.fixture
def store(tmp_path: Path, tiny_directory: Path) -> Store:
    store = Store(tmp_path / "home")
    pull(store, str(tiny_directory), name="tiny")
    return store


def tuned(store: Store, *, dora: bool = False) -> Artifact:
    """An adapter of random numbers, none of them zero."""
    config = LoraConfig(rank=4, alpha=12, dora=dora)

    def build(draft: Draft) -> None:
        model = load_model(store.get("tiny"), "float32")
        for parameter in add_adapter(model, "x", config, seed=0):
            torch.nn.init.normal_(parameter, std=0.3, generator=torch.Generator().manual_seed(1))
        save_adapter(model, "x", config, "tiny", draft.path)

    return store.make(
        "adapter", build, inputs={"base": store.get("tiny").digest}, recipe={"dora": dora}
    )


def written(artifact: Artifact, directory: Path) -> Path:
    """Its files in a directory of their own."""
    directory.mkdir()
    for name in artifact.manifest.files:
        (directory / name).write_bytes(artifact.path(name).read_bytes())
    return directory


@torch.inference_mode()
def hidden(model: Model, adapter: str | None) -> torch.Tensor:
    return model(IDS, Ragged([Piece(len(IDS), adapter=adapter)]))


@pytest.mark.parametrize("dora", [False, True])
def test_a_fresh_adapter_changes_nothing(store: Store, dora: bool) -> None:
    model = load_model(store.get("tiny"), "float32")
    before = hidden(model, None)
    parameters = add_adapter(model, "new", LoraConfig(dora=dora), seed=0)
    assert torch.equal(hidden(model, "new"), before)
    # Seven matrices in each of two blocks, two or three parameters each.
    assert len(parameters) == 2 * 7 * (3 if dora else 2)
    assert all(p.requires_grad for p in parameters)
    assert not any(p.requires_grad for p in model.parameters())


@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated:FutureWarning")
@pytest.mark.parametrize("dora", [False, True])
def test_peft_reads_what_we_write(
    store: Store, tiny_directory: Path, tmp_path: Path, dora: bool
) -> None:
    artifact = tuned(store, dora=dora)
    directory = written(artifact, tmp_path / "adapter")
    base = transformers.AutoModelForCausalLM.from_pretrained(tiny_directory, dtype=torch.float32)
    theirs = peft.PeftModel.from_pretrained(base, directory).eval()
    ours = load_model(store.get("tiny"), "float32")
    load_adapter(ours, artifact, "x")
    with torch.inference_mode():
        expected = theirs(IDS[None]).logits[0]
        plain = ours.logits(hidden(ours, None))
        mine = ours.logits(hidden(ours, "x"))
    assert (expected - plain).abs().max() > 0.1
    torch.testing.assert_close(mine, expected, atol=1e-5 if dora else 1e-4, rtol=0)


@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated:FutureWarning")
def test_dora_trains_as_in_peft(store: Store, tiny_directory: Path, tmp_path: Path) -> None:
    """Its gradients are theirs; the lengths of rows are constants to both."""
    artifact = tuned(store, dora=True)
    directory = written(artifact, tmp_path / "adapter")
    base = transformers.AutoModelForCausalLM.from_pretrained(tiny_directory, dtype=torch.float32)
    theirs = peft.PeftModel.from_pretrained(base, directory, is_trainable=True).eval()
    ours = load_model(store.get("tiny"), "float32")
    go_on_with_adapter(ours, "x", artifact, 0.0)
    theirs(IDS[None]).logits.square().sum().backward()
    ours.logits(ours(IDS, Ragged([Piece(len(IDS), adapter="x")]))).square().sum().backward()
    pair = ours.adapter("x")["blocks.0.mixer.q"]
    layer = theirs.base_model.model.model.layers[0].self_attn.q_proj
    for mine, expected in (
        (pair.a, layer.lora_A["default"].weight),
        (pair.b, layer.lora_B["default"].weight),
        (pair.magnitude, layer.lora_magnitude_vector["default"].weight),
    ):
        torch.testing.assert_close(mine.grad, expected.grad, atol=1e-4, rtol=1e-4)


@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated:FutureWarning")
def test_we_read_doras_that_peft_writes(store: Store, tiny_directory: Path, tmp_path: Path) -> None:
    base = transformers.AutoModelForCausalLM.from_pretrained(tiny_directory, dtype=torch.float32)
    settings = peft.LoraConfig(
        r=4, lora_alpha=12, use_dora=True, target_modules=["q_proj", "up_proj"]
    )
    theirs = peft.get_peft_model(base, settings).eval()
    for parameter in theirs.parameters():
        if parameter.requires_grad:
            torch.nn.init.normal_(parameter, std=0.3)
    theirs.save_pretrained(tmp_path / "theirs")
    ours = load_model(store.get("tiny"), "float32")
    load_adapter(ours, import_adapter(store.get("tiny"), tmp_path / "theirs"), "x")
    with torch.inference_mode():
        expected = theirs(IDS[None]).logits[0]
        torch.testing.assert_close(ours.logits(hidden(ours, "x")), expected, atol=1e-5, rtol=0)


def test_a_dora_without_lengths_is_refused(store: Store) -> None:
    plain = tuned(store)

    def build(draft: Draft) -> None:
        settings = plain.read_json("adapter_config.json") | {"use_dora": True}
        draft.path("adapter_config.json").write_text(json.dumps(settings))
        weights = plain.path("adapter_model.safetensors").read_bytes()
        draft.path("adapter_model.safetensors").write_bytes(weights)

    broken = store.make("adapter", build, inputs=plain.manifest.inputs, recipe={"broken": 1})
    with pytest.raises(CorruptArtifact, match="not all of a layer's"):
        load_adapter(load_model(store.get("tiny"), "float32"), broken, "x")


@torch.inference_mode()
def test_rows_of_one_batch_use_different_adapters(store: Store) -> None:
    model, used = load_model(store.get("tiny"), "float32"), [None, "x", "x", "dora", None]
    load_adapter(model, tuned(store), "x")
    load_adapter(model, tuned(store, dora=True), "dora")
    mixed = model(IDS.repeat(5), Ragged([Piece(40, adapter=adapter) for adapter in used]))
    for row, adapter in enumerate(used):
        rows = mixed[40 * row : 40 * row + 40]
        torch.testing.assert_close(rows, hidden(model, adapter), atol=1e-5, rtol=0)


def test_an_adapter_of_another_size_or_kind_is_refused(
    store: Store, tiny_directory: Path, tmp_path: Path
) -> None:
    model = load_model(store.get("tiny"), "float32")

    def another(settings: str, weights: bytes) -> Artifact:
        def build(draft: Draft) -> None:
            draft.path("adapter_config.json").write_text(settings)
            draft.path("adapter_model.safetensors").write_bytes(weights)

        return store.make("adapter", build, recipe={"settings": settings, "size": len(weights)})

    from safetensors.torch import save

    name = "base_model.model.model.layers.{}.self_attn.q_proj.lora_{}.weight"
    good = '{"peft_type": "LORA", "r": 2, "lora_alpha": 2}'
    wide = save({name.format(0, "A"): torch.ones(2, 99), name.format(0, "B"): torch.ones(32, 2)})
    with pytest.raises(UsageError, match="another size"):
        load_adapter(model, another(good, wide), "wide")
    deep = save({name.format(9, "A"): torch.ones(2, 32), name.format(9, "B"): torch.ones(32, 2)})
    with pytest.raises(CorruptArtifact, match="layers that this model lacks"):
        load_adapter(model, another(good, deep), "deep")
    with pytest.raises(UsageError, match="plain LoRA"):
        load_adapter(model, another('{"peft_type": "IA3"}', b""), "other")


@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated:FutureWarning")
@pytest.mark.parametrize("dora", [False, True])
def test_matrices_that_are_one_in_the_files_share_an_adapter_there(
    tmp_path: Path, dora: bool
) -> None:
    """Phi-3 keeps q, k and v in one matrix: what we write for three, `peft` reads for one."""
    config = transformers.Phi3Config(
        vocab_size=write_tokenizer(tmp_path),
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        pad_token_id=None,
    )
    torch.manual_seed(0)
    transformers.Phi3ForCausalLM(config).save_pretrained(tmp_path)
    store = Store(tmp_path / "home")
    pull(store, str(tmp_path), name="tiny")
    artifact = tuned(store, dora=dora)
    directory = written(artifact, tmp_path / "adapter")
    base = transformers.AutoModelForCausalLM.from_pretrained(tmp_path, dtype=torch.float32)
    theirs = peft.PeftModel.from_pretrained(base, directory).eval()
    trained = load_model(store.get("tiny"), "float32")
    config = LoraConfig(rank=4, alpha=12, dora=dora)
    for parameter in add_adapter(trained, "x", config, seed=0):
        torch.nn.init.normal_(parameter, std=0.3, generator=torch.Generator().manual_seed(1))
    ours = load_model(store.get("tiny"), "float32")
    load_adapter(ours, artifact, "x")
    with torch.inference_mode():
        expected = theirs(IDS[None]).logits[0]
        for model in (trained, ours):
            mine = model.logits(hidden(model, "x"))
            torch.testing.assert_close(mine, expected, atol=1e-4, rtol=0)


def test_a_matrix_may_have_a_rank_of_its_own(store: Store, tiny_directory: Path) -> None:
    """As `peft` writes adapters with `rank_pattern`."""
    artifact, model = tuned(store), load_model(store.get("tiny"), "float32")
    settings = artifact.read_json("adapter_config.json") | {
        "rank_pattern": {"layers.1.self_attn.q_proj": 2},
        "alpha_pattern": {"mlp.*_proj": 24},
    }
    before = low_ranks(model, artifact, "x")

    def build(draft: Draft) -> None:
        draft.path("adapter_config.json").write_text(json.dumps(settings))
        weights = artifact.path("adapter_model.safetensors").read_bytes()
        draft.path("adapter_model.safetensors").write_bytes(weights)

    changed = store.make("adapter", build, inputs=artifact.manifest.inputs, recipe={"ranks": 2})
    for path, pair in low_ranks(model, changed, "x").items():
        factor = 2 if path == "blocks.1.mixer.q" or ".channel." in path else 1
        torch.testing.assert_close(pair.b, factor * before[path].b)
