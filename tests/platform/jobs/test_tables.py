"""What the migrations make is what the code describes."""

from __future__ import annotations

from openhearth.platform.database import Database
from openhearth.platform.jobs import tables
from tests.platform.area import differences


def test_the_migrated_tables_are_those_of_the_code(database: Database) -> None:
    assert tables.jobs.name == "jobs"
    assert differences(database, {"jobs", "job_events", "job_metrics"}) == []
