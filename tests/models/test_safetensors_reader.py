"""Reading safetensors: as the library does, and nothing that is not there."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save, save_file

from openhearth.errors import CorruptArtifact
from openhearth.models.safetensors_reader import read_safetensors

TENSORS = {
    "a": torch.randn(3, 5, generator=torch.Generator().manual_seed(0)),
    "b": torch.arange(6).reshape(2, 3).to(torch.bfloat16) / 3,
    "c": torch.tensor([1.5, -2.0], dtype=torch.float16),
    "d": torch.tensor(7.0, dtype=torch.float64),
    "e": torch.zeros(0, 4),
}


def test_numbers_are_those_that_were_written(tmp_path: Path) -> None:
    save_file(TENSORS, tmp_path / "x.safetensors", metadata={"format": "pt"})
    found = read_safetensors(tmp_path / "x.safetensors")
    assert found.keys() == TENSORS.keys()
    for name, tensor in TENSORS.items():
        assert found[name].data.shape == tuple(tensor.shape)
        assert np.array_equal(found[name].values(), tensor.float().numpy())


def written(path: Path, header: object, data: bytes = b"") -> Path:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)
    return path


ENTRY = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}


@pytest.mark.parametrize(
    "header",
    [
        b"{",
        [],
        {"a": []},
        {"a": {}},
        {"a": ENTRY | {"more": 1}},
        {"a": ENTRY | {"dtype": "F4"}},
        {"a": ENTRY | {"shape": [3]}},
        {"a": ENTRY | {"shape": ["2"]}},
        {"a": ENTRY | {"shape": [-1, -2]}},
        {"a": ENTRY | {"data_offsets": [0, 9]}},
        {"a": ENTRY | {"data_offsets": [8, 16]}},
        {"a": ENTRY | {"data_offsets": [-8, 0]}},
        {"a": ENTRY | {"data_offsets": [0]}},
        b"[" * 100_000,
    ],
)
def test_claims_that_cannot_be_are_refused(tmp_path: Path, header: object) -> None:
    with pytest.raises(CorruptArtifact, match="damaged or cut short"):
        read_safetensors(written(tmp_path / "x.safetensors", header, bytes(8)))


WHOLE = save({"a": torch.ones(4, 4), "b": torch.ones(3)})


@given(keep=st.integers(0, len(WHOLE) - 1))
def test_a_file_cut_anywhere_is_refused(
    tmp_path_factory: pytest.TempPathFactory, keep: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "cut.safetensors"
    path.write_bytes(WHOLE[:keep])
    with pytest.raises(CorruptArtifact, match=r"cut\.safetensors"):
        read_safetensors(path)
