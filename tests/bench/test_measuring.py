"""A measurement that is broken off keeps what it has."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from openhearth.bench.gate import Reference
from openhearth.bench.load import Target
from openhearth.bench.measuring import Measuring, Plan
from openhearth.bench.recipe import Gate, Recipe
from openhearth.bench.records import Record
from openhearth.bench.report.disclosure import Entry
from openhearth.bench.report.verify import holds, measurement_of, verify
from openhearth.bench.session import Side
from openhearth.bench.stub import stub
from openhearth.progress import Progress, silent

GATE = Gate(prompts=2, samples=2, tasks=1, max_tokens=8)
RECIPE = Recipe(name="gated", workloads={"chat": 1}, gate=GATE)


class BrokenOff(Reference):
    """Answers, and is stopped before it has scored."""

    def scores(self, records: Sequence[Record], progress: Progress = silent) -> list[Record]:
        raise KeyboardInterrupt


def test_answers_of_the_reference_are_kept_if_it_is_stopped_at_its_scores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENHEARTH_HOME", str(tmp_path / "home"))
    out = tmp_path / "report"
    with stub() as url:
        target = Target(url, "stub")
        side = Side(target, Entry(url=url, model="stub"))
        plan = Plan(RECIPE, [side], out, BrokenOff("stub", target), seed=1)
        told = Measuring(plan).carry_out(lambda it: None)
    assert told.broken_off
    assert told.partial
    assert holds(verify(out))
    made = measurement_of(out)
    assert len(made.reference) == len(made.records) > 0


def test_what_is_stopped_between_loads_is_partial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENHEARTH_HOME", str(tmp_path / "home"))

    def stopped(it: Measuring) -> None:
        raise KeyboardInterrupt

    out = tmp_path / "report"
    with stub() as url:
        side = Side(Target(url, "stub"), Entry(url=url, model="stub"))
        told = Measuring(Plan(RECIPE, [side], out, seed=1)).carry_out(stopped)
    assert told.partial
    assert holds(verify(out))
