"""Checkpoints: whole ones come back bit for bit, damaged ones are passed over."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from openhearth.training.checkpoint import KEPT, SUFFIX, Checkpoints, Snapshot


def snapshot(step: int) -> Snapshot:
    generator = torch.Generator().manual_seed(step)
    tensors = {
        "value/a": torch.randn(30, 20, generator=generator),
        "value/b": torch.randn(7, generator=generator).bfloat16(),
        "history": torch.full((step, 4), 1 / 3, dtype=torch.float64),
    }
    return Snapshot(step, tensors, {"evaluations": [{"step": step, "loss": 0.1}]})


def same(a: Snapshot | None, b: Snapshot) -> bool:
    assert a is not None
    assert a.tensors.keys() == b.tensors.keys()
    equal = all(torch.equal(a.tensors[name], b.tensors[name]) for name in a.tensors)
    return equal and (a.step, a.note) == (b.step, b.note)


def saved(directory: Path, *steps: int) -> list[Path]:
    with Checkpoints(directory) as checkpoints:
        for step in steps:
            checkpoints.save(snapshot(step))
            checkpoints.wait()
    return sorted(directory.glob(f"*{SUFFIX}"))


def test_the_newest_comes_back_bit_for_bit(tmp_path: Path) -> None:
    assert Checkpoints(tmp_path).newest() is None
    files = saved(tmp_path, 5, 10, 15)
    assert len(files) == KEPT
    assert same(Checkpoints(tmp_path).newest(), snapshot(15))


def test_what_is_saved_is_the_state_of_that_moment(tmp_path: Path) -> None:
    taken, expected = snapshot(3), snapshot(3)
    with Checkpoints(tmp_path) as checkpoints:
        checkpoints.save(taken)
        for tensor in taken.tensors.values():
            tensor.zero_()  # as training goes on while a thread writes
    assert same(Checkpoints(tmp_path).newest(), expected)


@pytest.mark.parametrize("damage", ["cut", "altered", "emptied"])
def test_a_damaged_one_is_passed_over_for_the_one_before(tmp_path: Path, damage: str) -> None:
    older, newest = saved(tmp_path, 5, 10)
    whole = newest.read_bytes()
    altered = whole[:-3] + bytes([whole[-3] ^ 1]) + whole[-2:]
    newest.write_bytes({"cut": whole[:-1], "altered": altered, "emptied": b""}[damage])
    assert same(Checkpoints(tmp_path).newest(), snapshot(5))
    assert not newest.exists()
    older.write_bytes(b"")
    assert Checkpoints(tmp_path).newest() is None


def test_half_a_file_of_a_killed_run_is_cleared_away(tmp_path: Path) -> None:
    saved(tmp_path, 5)
    (tmp_path / ".new-10").write_bytes(b"half")
    assert same(Checkpoints(tmp_path).newest(), snapshot(5))
    assert [path.suffix for path in tmp_path.iterdir()] == [SUFFIX]


def test_a_disk_that_does_not_take_it_is_an_error_of_the_run(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    checkpoints.save(snapshot(1))
    with pytest.raises(Exception, match="gone"):
        checkpoints.wait()
    checkpoints.wait()  # said once
