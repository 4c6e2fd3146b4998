"""MAD's settings: as many as there, one thing changed at a time."""

from __future__ import annotations

import pytest

from openhearth.training.study.probes.settings import mad, variants


@pytest.mark.parametrize("task", mad()["tasks"])
def test_one_setting_changes_at_a_time(task: str) -> None:
    base, *changed = (probe.model_dump() for probe in variants(task))
    assert base["name"] == task
    for other in changed:
        assert sum(base[setting] != other[setting] for setting in base) == 1


def test_there_are_as_many_as_in_mad() -> None:
    # Counted in configs/tasks of github.com/athms/mad-lab at 466e1dd.
    counts = {task: len(variants(task)) for task in mad()["tasks"]}
    assert counts == {
        "in_context_recall": 11,
        "noisy_recall": 14,
        "fuzzy_recall": 11,
        "selective_copying": 13,
        "compression": 11,
        "memorisation": 6,
    }
