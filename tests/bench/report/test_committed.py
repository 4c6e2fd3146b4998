"""The reports that are committed hold, on any machine and without any model."""

from pathlib import Path

import pytest

from openhearth.bench.report.disclosure import FILE
from openhearth.bench.report.verify import holds, verify

REPORTS = Path(__file__).parents[3] / "benchmarks" / "reports"


@pytest.mark.parametrize(
    "place", [path.parent for path in sorted(REPORTS.rglob(FILE))], ids=lambda place: place.name
)
def test_a_committed_report_holds(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENHEARTH_HOME", str(tmp_path))
    checks = verify(place)
    assert holds(checks), [check for check in checks if not check.holds]
