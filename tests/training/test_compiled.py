"""Compiled layers compute what the others do, and change neither names nor what is saved."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from openhearth.training.compiled import compile_parts
from openhearth.training.loop import train
from tests.training.jobs import make_job, make_recipe

pytestmark = [
    pytest.mark.skipif(
        shutil.which("g++") is None, reason="torch compiles for a processor by a C++ compiler"
    ),
    # Torch's own, from within its compiler.
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning"),
]


@pytest.mark.parametrize("fields", [{}, {"adapter": {"rank": 4}}])
def test_a_run_is_about_the_same(fields: dict[str, object], tmp_path: Path) -> None:
    runs = []
    for compiled in (False, True):
        torch.compiler.reset()
        made = make_job(make_recipe(tokens=600, **fields))
        names = list(made.model.state_dict())
        if compiled:
            compile_parts(made.model, adapted=made.adapter is not None)
        assert list(made.model.state_dict()) == names
        runs.append(train(made, tmp_path / str(compiled)))
    for one, other in zip(*[run.steps for run in runs], strict=True):
        assert other.loss == pytest.approx(one.loss, rel=1e-4)
