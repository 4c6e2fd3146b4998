"""The same random weights in a model of `transformers` and in ours, and what both must hold."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import transformers

from openhearth.models import Model, Piece, Ragged, import_model, load_model
from openhearth.store import Store
from tests.conftest import write_tokenizer

PAGE = 8


def both(
    name: str, settings: dict[str, Any], tmp_path: Path
) -> tuple[Model, transformers.PreTrainedModel]:
    """`name`ForCausalLM with these settings, and ours from what it wrote."""
    kind = getattr(transformers, f"{name}ForCausalLM")
    described = kind.config_class(vocab_size=write_tokenizer(tmp_path), **settings)
    torch.manual_seed(0)
    theirs = kind(described).eval()
    for parameter in theirs.parameters():  # biases and norms are not random by default
        torch.nn.init.normal_(parameter, std=0.2)
    theirs.save_pretrained(tmp_path)
    artifact = import_model(Store(tmp_path / "home"), tmp_path)
    return load_model(artifact, "float32"), theirs


def tokens(count: int, seed: int = 0) -> torch.Tensor:
    return torch.randint(0, 300, (count,), generator=torch.Generator().manual_seed(seed))


def logits(model: Model, ids: torch.Tensor) -> torch.Tensor:
    """Those of a whole text, [length, vocab_size]."""
    return model.logits(model(ids, Ragged([Piece(len(ids))])))


def in_pieces(model: Model, ids: torch.Tensor, cuts: Sequence[int]) -> torch.Tensor:
    """Those of a text that comes in pieces, with another where its states and pages are."""
    pages = -(-len(ids) // PAGE)
    states, done, outs = model.new_states(pages, PAGE, slots=2), 0, []
    model(tokens(5, seed=9), Ragged([Piece(5, 0, pages=[0], slot=1)]), states)
    for cut in cuts:
        piece = Piece(cut, done, pages=list(range(-(-(done + cut) // PAGE))), slot=1)
        outs.append(model.logits(model(ids[done : done + cut], Ragged([piece]), states)))
        done += cut
    return torch.cat(outs)


@torch.inference_mode()
def check_parity(ours: Model, theirs: transformers.PreTrainedModel) -> None:
    """Logits are theirs; chunks, single tokens and company change nothing."""
    ids = tokens(150)
    expected = theirs(ids[None]).logits[0]
    assert expected.std() > 0.05  # the comparison would mean nothing between zeros
    whole = logits(ours, ids)
    torch.testing.assert_close(whole, expected, atol=1e-4, rtol=0)
    ids, whole = ids[:40], whole[:40]
    for cuts in ([40], [1] * 40, [13, 1, 1, 20, 5], [1, 39]):
        torch.testing.assert_close(in_pieces(ours, ids, cuts), whole, atol=1e-4, rtol=0)
    beside = Ragged([Piece(9), Piece(40), Piece(1)])
    hidden = ours(torch.cat((tokens(9, 1), ids, tokens(1, 2))), beside)[9:49]
    torch.testing.assert_close(ours.logits(hidden), whole, atol=1e-4, rtol=0)
