"""Shares of a load, put together, are the load."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from openhearth.bench.gate import questions
from openhearth.bench.report.figures import Measurement, figures
from openhearth.bench.report.merge import merged
from openhearth.bench.report.verify import holds, verify
from openhearth.bench.report.write import write
from openhearth.errors import UsageError
from tests.bench import builders

MANY = builders.Server(workers=1000)  # nobody waits for others, on however many machines


def shared(*share: int) -> Measurement:
    made = builders.session(builders.SHORT, [MANY], share=(share[0], share[1]))
    made.point("ranked")
    return builders.measurement(made)


def test_due_times_and_figures_are_those_of_the_whole() -> None:
    whole = shared(1, 1)
    together = merged([shared(2, 3), shared(1, 3), shared(3, 3)])
    due = {record.number: record.due for record in whole.records}
    assert {record.number: record.due for record in together.records} == due
    assert len(together.records) == len(whole.records)
    assert figures(together) == figures(whole)


def test_what_was_merged_holds(tmp_path: Path, key: Path) -> None:
    write(tmp_path / "report", merged([shared(1, 2), shared(2, 2)]), key)
    assert holds(verify(tmp_path / "report"))
    write(tmp_path / "part", shared(1, 2), key)
    assert holds(verify(tmp_path / "part"))


def test_the_gate_s_questions_are_shared_too(tmp_path: Path, key: Path) -> None:
    assert builders.GATED.gate is not None
    asked = questions(builders.GATED, builders.GATED.gate, 11)
    reference = builders.a_gated_run().reference
    parts = []
    for number in (1, 2):
        made = builders.session(builders.GATED, [MANY], share=(number, 2), asked=asked)
        made.ask_alone(asked)
        made.point("ranked")
        parts.append(builders.measurement(made, reference))
    together = merged(parts)
    assert len(together.reference) == len(reference)
    assert figures(together)["entries"][0]["gate"]["asked"] == len(asked)
    write(tmp_path / "report", together, key)
    assert holds(verify(tmp_path / "report"))


def test_machines_are_told_and_loads_that_were_broken_off() -> None:
    first, second = shared(1, 2), shared(2, 2)
    told = second.disclosure
    client = told.client.model_copy(update={"machine": "four cores", "processes": 3})
    points = tuple(point.model_copy(update={"interrupted": True}) for point in told.points)
    second = replace(
        second, disclosure=told.model_copy(update={"client": client, "points": points})
    )
    found = merged([first, second]).disclosure
    assert found.client.machine == "two cores; four cores"
    assert found.client.processes == 4
    assert found.partial


def test_what_is_not_one_load_is_refused() -> None:
    other = shared(2, 2)
    seeded = replace(other, disclosure=other.disclosure.model_copy(update={"seed": 12}))
    with pytest.raises(UsageError, match="not shares of one load"):
        merged([shared(1, 2), seeded])
    with pytest.raises(UsageError, match="Of 2 shares here is 1"):
        merged([shared(1, 2)])
    with pytest.raises(UsageError, match="Of 2 shares here is 1, 1"):
        merged([shared(1, 2), shared(1, 2)])
    told = other.disclosure
    points = [point.model_copy(update={"began": point.began + 30}) for point in told.points]
    late = replace(other, disclosure=told.model_copy(update={"points": tuple(points)}))
    with pytest.raises(UsageError, match="began 30 s apart"):
        merged([shared(1, 2), late])
