"""Where torch computes, and in which numbers."""

from __future__ import annotations

import pytest
import torch

from openhearth.errors import UsageError
from openhearth.inference import executor
from openhearth.models import Piece, Ragged, choose
from openhearth.models.device import best_device, making_on


def test_torch_is_believed() -> None:
    assert best_device() == ("cuda" if torch.cuda.is_available() else "cpu")


def test_what_a_batch_makes_is_made_there() -> None:
    batch = Ragged([Piece(3, 4, [7]), Piece(1, 5, [8])])
    with making_on(torch.device("meta")):
        assert batch.positions.device.type == "meta"
        assert {part.device.type for part in batch.places(8)} == {"meta"}
    with making_on(torch.device("cpu")):
        assert torch.ones(1).device.type == "cpu"


def test_types_on_a_gpu() -> None:
    assert choose("float32", "cuda") is torch.float32
    assert choose("auto", "cuda") in (torch.float32, torch.bfloat16)
    with pytest.raises(UsageError, match="must be auto"):
        choose("int4", "cuda")


def test_auto_is_torch_where_there_is_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless a type is asked for that only native has."""
    monkeypatch.setattr(executor, "best_device", lambda: "cpu")
    assert not executor.prefers_gpu("auto")
    monkeypatch.setattr(executor, "best_device", lambda: "cuda")
    assert executor.prefers_gpu("auto")
    assert executor.prefers_gpu("bfloat16", "auto")
    assert not executor.prefers_gpu("int4")
    assert not executor.prefers_gpu("auto", "int8")
