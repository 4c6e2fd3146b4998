"""Answers that survive, and many things done at once."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openhearth.platform.jobs.runners.asking import Answers, each
from openhearth.platform.jobs.task import Stopped, Task


@given(
    values=st.dictionaries(st.text("abc-1", min_size=1, max_size=8), st.text(max_size=50)),
    lost=st.integers(1, 20),
)
def test_answers_are_found_again_but_for_one_that_broke_off(
    tmp_path_factory: pytest.TempPathFactory, values: dict[str, str], lost: int
) -> None:
    path = tmp_path_factory.mktemp("answers") / "answers.jsonl"
    answers = Answers(path)
    for name, value in values.items():
        answers[name] = value
    size = path.stat().st_size
    answers["last"] = "x" * 20
    with path.open("rb+") as file:
        file.truncate(max(size, path.stat().st_size - lost))
    found = Answers(path)
    assert {name: found[name] for name in values} == values
    assert "last" not in found
    found["last"] = 1
    assert (Answers(path)["last"], len(Answers(path))) == (1, len(values) + 1)


def task(tmp_path: Path) -> Task:
    return Task("job_1", "proj_a", {}, None, tmp_path, lambda said: None)


def test_each_is_done_once_and_no_more_than_so_many_at_once(tmp_path: Path) -> None:
    done: list[int] = []
    meeting = threading.Barrier(4)

    def do(number: int) -> None:
        meeting.wait(30)
        done.append(number)

    each(task(tmp_path), range(40), do, 4, lambda: None)
    assert sorted(done) == list(range(40))


def test_what_one_raises_is_raised(tmp_path: Path) -> None:
    def do(number: int) -> None:
        if number == 3:
            raise KeyError(number)

    with pytest.raises(KeyError):
        each(task(tmp_path), range(10), do, 2, lambda: None)


def test_asked_to_end_it_begins_nothing_more(tmp_path: Path) -> None:
    job = task(tmp_path)
    done: list[int] = []

    def do(number: int) -> None:
        done.append(number)
        job.cancelled = True

    with pytest.raises(Stopped):
        each(job, range(1000), do, 2, lambda: None)
    assert len(done) <= 3
