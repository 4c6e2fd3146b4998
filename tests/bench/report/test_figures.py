"""All figures of a report follow from its records."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from openhearth.bench.recipe import Callers
from openhearth.bench.records import Failure
from openhearth.bench.report.disclosure import whole
from openhearth.bench.report.figures import figures
from tests.bench import builders

AGAIN = """
import sys
from pathlib import Path
from openhearth.bench.report.disclosure import whole
from openhearth.bench.report.figures import figures
from openhearth.bench.report.verify import measurement_of
sys.stdout.buffer.write(whole(figures(measurement_of(Path(sys.argv[1])))))
"""


def test_another_process_makes_the_same_from_the_files(written: Path) -> None:
    again = subprocess.run(
        [sys.executable, "-c", AGAIN, str(written)], capture_output=True, check=True
    ).stdout
    assert (
        again == (written / "report.json").read_bytes() == whole(builders.figured(builders.a_run))
    )


def test_the_order_of_records_does_not_matter() -> None:
    measurement = builders.a_run()
    turned = replace(measurement, records=measurement.records[::-1])
    assert figures(turned) == builders.figured(builders.a_run)


def test_a_sweep_has_the_capacity_that_its_points_tell() -> None:
    found = builders.figured(builders.a_sweep)
    (entry,) = found["entries"]
    tried = [point for point in found["points"] if point["role"] == "search"]
    held = [point["load"]["rate"] for point in tried if point["verdict"] == "holds"]
    assert entry["capacity"]["rate"] in held
    assert entry["capacity"]["rate"] < entry["capacity"]["failed"]
    headline = found["points"][entry["headline"]]
    assert headline["load"]["rate"] == entry["capacity"]["rate"]
    assert found["points"][-1]["load"]["rate"] == 2 * entry["capacity"]["rate"]
    rates = headline["answers"]["rates"]
    assert entry["cost"]["per_million_useful"] == pytest.approx(
        builders.RENTED.hour / 3600 / rates["useful_tokens"] * 1e6, rel=1e-6
    )


def test_a_search_that_was_left_early_has_no_capacity_and_is_not_ranked() -> None:
    measurement = builders.a_sweep()
    points = measurement.disclosure.points[:2]
    told = measurement.disclosure.model_copy(update={"points": points})
    records = [record for record in measurement.records if record.point < 2]
    (entry,) = figures(replace(measurement, disclosure=told, records=records))["entries"]
    assert (entry["capacity"], entry["headline"], entry["cost"]) == (None, None, None)
    assert not entry["ranked"]


def test_ranked_is_what_is_long_whole_and_open() -> None:
    measurement = builders.a_long_run()
    assert builders.figured(builders.a_long_run)["entries"][0]["ranked"]
    lost = figures(replace(measurement, records=measurement.records[:-1]))
    assert lost["partial"]
    assert not lost["entries"][0]["ranked"]
    assert not builders.figured(builders.a_run)["entries"][0]["ranked"]
    assert not builders.figured(builders.broken_off)["entries"][0]["ranked"]


def test_callers_are_never_ranked() -> None:
    load = Callers(arrivals="callers", callers=2)
    made = builders.session(builders.SHORT.model_copy(update={"load": load}))
    made.point("ranked")
    (entry,) = figures(builders.measurement(made))["entries"]
    assert not entry["ranked"]


def test_a_comparison_tells_by_how_much() -> None:
    found = builders.figured(builders.a_comparison)
    ((pair,), entries) = found["comparison"], found["entries"]
    assert (pair["entry"], pair["against"], pair["turns"], len(entries)) == (1, 0, 3, 2)
    assert pair["ratios"]["tpot"]["value"] == pytest.approx(1.3)
    assert pair["ratios"]["tpot"]["differs"]


def test_where_nothing_was_answered_nothing_is_not_a_number() -> None:
    made = builders.session(builders.TINY, [builders.Server(fails_every=1)] * 2)
    builders.runs.compare(made, 2)
    found = figures(builders.measurement(made))
    assert json.loads(json.dumps(found, allow_nan=False)) == json.loads(whole(found))
    assert found["comparison"][0]["ratios"]["ttft"] is None
    assert found["points"][0]["errors"] == {Failure.RATE_LIMIT: found["points"][0]["requests"]}


def test_a_gate_gives_a_class() -> None:
    (entry,) = builders.figured(builders.a_gated_run)["entries"]
    assert entry["class"] == entry["gate"]["class"] == "equivalent"
    assert entry["gate"]["asked"] == entry["gate"]["answered"] > 0
    (entry,) = builders.figured(builders.a_run)["entries"]
    assert (entry["class"], entry["gate"]) == ("ungated", None)
