"""Models out of the store: `transformers` and we load what was written, and find the same."""

from __future__ import annotations

import json
from pathlib import Path

import gguf
import pytest
import torch
import transformers
from safetensors.torch import load_file

from openhearth.data.tokenizer import Tokenizer
from openhearth.errors import UsageError
from openhearth.models import (
    Attention,
    Block,
    Model,
    ModelConfig,
    Piece,
    Ragged,
    ShortConv,
    SwiGLU,
    import_model,
    load_adapter,
    load_model,
    pull,
)
from openhearth.models import export as export_module
from openhearth.models.export import export_directory
from openhearth.models.families import read_config
from openhearth.models.families.written import write_config
from openhearth.models.gguf_writer import export_gguf
from openhearth.models.stored import config_of
from openhearth.store import Artifact, Store
from tests.conftest import make_adapter
from tests.models.forms import check_written
from tests.models.test_gguf import write
from tests.models.test_parity import FAMILIES, imported, tokens

IDS = tokens(60)


@torch.inference_mode()
def logits(model: Model, adapter: str | None = None) -> torch.Tensor:
    return model.logits(model(IDS, Ragged([Piece(len(IDS), adapter=adapter)])))


@pytest.mark.parametrize("family", FAMILIES)
def test_a_directory_is_read_by_transformers_and_by_us(family: str, tmp_path: Path) -> None:
    artifact, theirs = imported(family, tmp_path)
    back = check_written(artifact, theirs, tmp_path / "out")
    text = "Un café, two (words)!"
    reference = transformers.AutoTokenizer.from_pretrained(tmp_path / "out")
    assert reference.encode(text, add_special_tokens=False) == Tokenizer.load(back).encode(text)


def test_bert_too(encoder_directory: Path, tmp_path: Path) -> None:
    artifact = import_model(Store(tmp_path / "home"), encoder_directory)
    export_directory(artifact, tmp_path / "out")
    theirs = transformers.BertModel.from_pretrained(encoder_directory, add_pooling_layer=False)
    again = transformers.BertModel.from_pretrained(tmp_path / "out", add_pooling_layer=False)
    torch.testing.assert_close(again.state_dict(), theirs.state_dict())


@pytest.mark.parametrize("dora", [False, True])
def test_an_adapter_is_merged_into_its_base(
    tiny_directory: Path, tmp_path: Path, dora: bool
) -> None:
    store = Store(tmp_path / "home")
    make_adapter(store, pull(store, str(tiny_directory), name="tiny"), "bot", dora=dora)
    export_directory(store.get("bot"), tmp_path / "out")
    model = load_model(store.get("tiny"), "float32")
    load_adapter(model, store.get("bot"), "bot")
    back = import_model(store, tmp_path / "out")
    assert back.manifest.license == ("apache-2.0",)
    merged = logits(load_model(back, "float32"))
    torch.testing.assert_close(merged, logits(model, "bot"), atol=1e-3, rtol=0)
    assert (merged - logits(model)).abs().max() > 0.1


def test_large_models_are_several_files(
    tiny_directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    artifact = import_model(Store(tmp_path / "home"), tiny_directory)
    monkeypatch.setattr(export_module, "SHARD", 20_000)
    export_directory(artifact, tmp_path / "out", dtype="bfloat16")
    shards = sorted((tmp_path / "out").glob("*.safetensors"))
    index = json.loads((tmp_path / "out" / "model.safetensors.index.json").read_bytes())
    assert len(shards) > 2
    for shard in shards:
        for name, tensor in load_file(shard).items():
            assert index["weight_map"][name] == shard.name
            assert tensor.dtype == torch.bfloat16
    theirs = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "out")
    assert theirs.dtype == torch.bfloat16
    back = import_model(Store(tmp_path / "home"), tmp_path / "out")
    assert config_of(back) == config_of(artifact)


@pytest.mark.parametrize("kind", ["F32", "F16", "Q8_0", "Q5_0"])
@pytest.mark.parametrize(
    "family", ["llama", "llama, tied", "llama 3.1", "llama, linear", "qwen2", "qwen3"]
)
def test_a_gguf_file_is_read_back(family: str, kind: str, tmp_path: Path) -> None:
    artifact, _ = imported(family, tmp_path, hidden_size=96, intermediate_size=160)
    target = tmp_path / "out.gguf"
    export_gguf(artifact, target, kind=kind)
    back = import_model(Store(tmp_path / "other"), target)
    kinds = {t.name: t.tensor_type.name for t in gguf.GGUFReader(target).tensors}
    assert kinds["blk.0.ffn_up.weight"] == kind
    assert kinds["blk.0.attn_norm.weight"] == "F32"
    found, expected = (logits(load_model(a, "float32")) for a in (back, artifact))
    tolerance = {"F32": 1e-4, "F16": 0.02, "Q8_0": 0.3, "Q5_0": 0.6}[kind] * expected.std()
    assert (found - expected).abs().mean() < tolerance
    text = "Un café, two (words)!"
    assert Tokenizer.load(back).encode(text) == Tokenizer.load(artifact).encode(text)


@pytest.mark.parametrize("architecture", ["llama", "gemma3"])
def test_a_gguf_file_with_a_sentencepiece_vocabulary_comes_out_as_it_went_in(
    architecture: str, tmp_path: Path
) -> None:
    artifact = import_model(
        Store(tmp_path / "home"), write(tmp_path / "in.gguf", architecture=architecture)
    )
    export_gguf(artifact, tmp_path / "out.gguf", kind="F32")
    before, after = (gguf.GGUFReader(tmp_path / f"{name}.gguf") for name in ("in", "out"))
    tensors = {tensor.name: tensor.data.tolist() for tensor in after.tensors}
    assert tensors == {tensor.name: tensor.data.tolist() for tensor in before.tensors}
    fields = {name: field.contents() for name, field in after.fields.items()}
    expected = {name: field.contents() for name, field in before.fields.items()}
    changed = {"GGUF.kv_count", "tokenizer.ggml.scores"}
    assert all(fields[name] == expected[name] for name in expected.keys() - changed)
    back = import_model(Store(tmp_path / "other"), tmp_path / "out.gguf")
    for text in ("abc bc", "ab é", "<s> a"):
        assert Tokenizer.load(back).encode(text) == Tokenizer.load(artifact).encode(text)


def hybrid() -> ModelConfig:
    mixers = (ShortConv(), Attention(heads=2, kv_heads=1, head_dim=8))
    blocks = tuple(Block(mixer=mixer, channel=SwiGLU(hidden=24)) for mixer in mixers)
    return ModelConfig(vocab_size=50, width=16, context_length=64, blocks=blocks)


def test_what_no_family_is_like_is_refused() -> None:
    with pytest.raises(UsageError, match="No family"):
        write_config(hybrid())
    plain = hybrid().model_copy(update={"blocks": hybrid().blocks[1:]})
    raw, written = write_config(plain.model_copy(update={"family": "hearth"}))
    assert read_config(raw) == written == plain
    with pytest.raises(UsageError, match="No family"):
        write_config(plain.model_copy(update={"norms": "sandwich"}))


@pytest.fixture
def tiny(tiny_directory: Path, tmp_path: Path) -> Artifact:
    return import_model(Store(tmp_path / "home"), tiny_directory)


def test_what_is_there_is_not_replaced(tiny: Artifact, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there already"):
        export_directory(tiny, tmp_path)
    (tmp_path / "x.gguf").touch()
    with pytest.raises(UsageError, match="there already"):
        export_gguf(tiny, tmp_path / "x.gguf")


def test_other_types_are_refused(tiny: Artifact, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="float64"):
        export_directory(tiny, tmp_path / "out", dtype="float64")
    with pytest.raises(UsageError, match="Q3_K"):
        export_gguf(tiny, tmp_path / "out.gguf", kind="Q3_K")


def test_what_gguf_has_no_words_for_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    for family, text in (("mistral, window", "Mistral"), ("gemma3", "no words")):
        directory = tmp_path / family
        directory.mkdir()
        artifact, _ = imported(family, directory)  # of Gemma 3, its scale has no field
        with pytest.raises(UsageError, match=text):
            export_gguf(artifact, tmp_path / "out.gguf")
        assert not list(tmp_path.glob("out*"))
