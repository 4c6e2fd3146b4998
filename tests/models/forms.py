"""What every model that writes must hold: whole texts, chunks and single tokens give the same."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from openhearth.models import Model, Piece, Ragged

PAGE = 8


def tokens(count: int, seed: int = 0) -> torch.Tensor:
    return torch.randint(0, 300, (count,), generator=torch.Generator().manual_seed(seed))


def logits(model: Model, ids: torch.Tensor) -> torch.Tensor:
    """Those of a whole text, [length, vocab_size]."""
    return model.logits(model(ids, Ragged([Piece(len(ids))])))


def in_pieces(model: Model, ids: torch.Tensor, cuts: Sequence[int]) -> torch.Tensor:
    """Those of a text that comes in pieces, over states where other texts were before."""
    count = -(-len(ids) // PAGE)
    states, done, parts = model.new_states(count + 1, PAGE, slots=3), 0, []
    other = Piece(5, 0, pages=[count], slot=1)
    model(tokens(5, seed=9), Ragged([other]), states)
    for cut in cuts:
        pages = list(reversed(range(count)))[: -(-(done + cut) // PAGE)]
        piece = Piece(cut, done, pages=pages, slot=1)
        parts.append(model.logits(model(ids[done : done + cut], Ragged([piece]), states)))
        done += cut
    return torch.cat(parts)


@torch.inference_mode()
def check_forms(model: Model, *, tolerance: float = 1e-4) -> None:
    """Each way to cut a text gives what the whole does, and so does company."""
    ids = tokens(40)
    whole = logits(model, ids)
    for cuts in ([40], [1] * 40, [13, 1, 1, 20, 5], [1, 39]):
        torch.testing.assert_close(in_pieces(model, ids, cuts), whole, atol=tolerance, rtol=0)
    pieces = Ragged([Piece(9), Piece(40), Piece(1)])
    beside = model(torch.cat((tokens(9, 1), ids, tokens(1, 2))), pieces)[9:49]
    torch.testing.assert_close(model.logits(beside), whole, atol=tolerance, rtol=0)
