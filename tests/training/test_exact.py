"""What a run changes of torch's settings, it puts back."""

from __future__ import annotations

import pytest
import torch

from openhearth.training.exact import exact_on

DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]


@pytest.mark.parametrize("device", DEVICES)
def test_random_numbers_leave_no_trace(device: str) -> None:
    torch.manual_seed(1)
    expected = torch.rand(3, device=device)
    torch.manual_seed(1)
    with exact_on(torch.device(device)):
        torch.manual_seed(2)
        torch.rand(5)
    assert torch.equal(torch.rand(3, device=device), expected)


@pytest.mark.parametrize("device", DEVICES)
def test_settings_are_as_before(device: str) -> None:
    with exact_on(torch.device(device)):
        assert torch.rand(1).device.type == device
        assert torch.are_deterministic_algorithms_enabled() == (device == "cuda")
    assert not torch.are_deterministic_algorithms_enabled()
    assert torch.utils.deterministic.fill_uninitialized_memory
    assert torch.rand(1).device.type == "cpu"
