"""M2-BERT's channel mixer: it is that of the published equations with whole matrices."""

from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError

from openhearth.errors import UsageError
from openhearth.models import MonarchMLP, Piece, Ragged
from openhearth.models.channels.registry import CHANNELS


@torch.inference_mode()
@pytest.mark.parametrize("blocks", [1, 2, 4])
def test_is_that_of_the_published_equations(blocks: int) -> None:
    torch.manual_seed(0)
    layer = CHANNELS["monarch_mlp"](MonarchMLP(hidden=20, blocks=blocks), 12)
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter)
    x, state = torch.randn(7, 12), {n: p.double() for n, p in layer.named_parameters()}
    gate, up = (x.double() @ torch.block_diag(*state["up.weight"]).T).chunk(2, dim=-1)
    hidden = gate * 0.5 * (1 + torch.erf(gate / 2**0.5)) * up
    expected = hidden @ torch.block_diag(*state["down.weight"]).T + state["down.bias"]
    torch.testing.assert_close(
        layer(x, Ragged([Piece(7)])).double(), expected, atol=1e-4, rtol=1e-5
    )


def test_blocks_that_do_not_divide_are_refused() -> None:
    with pytest.raises(ValidationError, match="3 blocks cannot share 20 hidden"):
        MonarchMLP(hidden=20, blocks=3)
    with pytest.raises(UsageError, match="5 blocks do not divide a width of 12"):
        CHANNELS["monarch_mlp"](MonarchMLP(hidden=20, blocks=5), 12)
