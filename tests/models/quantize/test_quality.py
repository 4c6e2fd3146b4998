"""KL and perplexity: by hand, and over pieces of text."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from openhearth.data.tokenizer import Tokenizer
from openhearth.errors import UsageError
from openhearth.models import Model, Piece, Ragged, import_model, load_model
from openhearth.models.quantize.quality import ROWS, Predictions, compare, kl, surprise
from openhearth.models.quantize.text import PROSE, WINDOW, WINDOWS, windows
from openhearth.store import Artifact, Store


@pytest.fixture
def tiny(tiny_directory: Path, tmp_path: Path) -> Artifact:
    return import_model(Store(tmp_path / "home"), tiny_directory)


def test_kl_and_surprise_by_hand() -> None:
    meant = torch.tensor([[0.5, 0.5], [0.9, 0.1]]).double().log()
    found = torch.tensor([[0.25, 0.75], [0.9, 0.1]]).double().log()
    assert kl(meant, found).tolist() == pytest.approx([0.5 * 0.287682072, 0], abs=1e-8)
    assert surprise(found, [1]).tolist() == pytest.approx([0.287682072])


def logs(model: Model, text: list[int]) -> torch.Tensor:
    with torch.inference_mode():
        hidden = model(torch.tensor(text), Ragged([Piece(len(text))]))
        return model.logits(hidden).double().log_softmax(-1)


def test_pieces_are_summed(tiny: Artifact) -> None:
    texts = [[i % 300 for i in range(7, 7 + n)] for n in (2, ROWS, 2 * ROWS + 5)]
    one, other = (load_model(tiny, "float32") for _ in range(2))
    other.embed.weight.data.mul_(1.1)
    found = [(logs(one, text), logs(other, text)) for text in texts]
    nats = torch.cat([surprise(b, t[1:]) for (_, b), t in zip(found, texts, strict=True)])
    itself, quality = compare(Predictions(one, texts), Predictions(other, texts), texts)
    assert quality.kl == pytest.approx(float(torch.cat([kl(*pair) for pair in found]).mean()))
    assert quality.perplexity == pytest.approx(float(nats.mean().exp()))
    assert itself.kl == 0
    assert quality.kl > 1e-4


def test_the_head_is_all_that_stays_of_a_model(tiny: Artifact) -> None:
    model = load_model(tiny, "float32")
    before = logs(model, [5, 6, 7])
    predictions = Predictions(model, [[5, 6, 7]])
    assert not list(model.blocks.parameters())
    torch.testing.assert_close(predictions.logs(0, slice(None)), before)


def test_a_text_is_cut_into_pieces(tiny: Artifact) -> None:
    tokenizer = Tokenizer.load(tiny)
    pieces = windows(PROSE.read_text(), tokenizer)
    assert [len(piece) for piece in pieces] == [WINDOW] * WINDOWS
    short = windows("The quick brown fox", tokenizer)
    assert short == [tokenizer.encode("The quick brown fox")]
    for nothing in ("", "T"):
        with pytest.raises(UsageError, match="fewer than two tokens"):
            windows(nothing, tokenizer)
