"""Answers that survive, and many things done at once."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openhearth.platform.jobs.runners.asking import Answers, each, kept
from openhearth.platform.jobs.task import Later, Stopped, Task


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


def test_when_one_has_to_wait_nothing_more_begins_and_the_rest_comes_to_its_own(
    tmp_path: Path,
) -> None:
    begun, done = [], []
    waiting = threading.Event()

    def do(number: int) -> None:
        begun.append(number)
        if number == 0:
            waiting.set()
            raise Later(30)
        waiting.wait(30)
        done.append(number)

    with pytest.raises(Later) as later:
        each(task(tmp_path), range(1000), do, 4, lambda: None)
    assert later.value.seconds == 30
    assert len(begun) < 1000
    assert sorted([0, *done]) == sorted(begun)


class Keeper:
    """A gateway that keeps one file each time it is asked, and then has to wait."""

    def __init__(self) -> None:
        self.files: list[str] = []
        self.until: set[float] = set()
        self.full = False

    def keep(self, path: Path, purpose: str, until: float) -> str:
        self.until.add(until)
        if self.full:
            raise Later(60)
        self.full = True
        self.files.append(path.name)
        return f"file-{path.name}"


def test_a_file_is_handed_in_once_by_all_attempts_together(tmp_path: Path) -> None:
    keeper: Any = Keeper()
    paths = [tmp_path / name for name in "abc"]
    for path in paths:
        path.write_text(path.name)
    for _ in paths[1:]:
        with pytest.raises(Later):
            [kept(keeper, path, "eval") for path in paths]
        keeper.full = False
    assert [kept(keeper, path, "eval") for path in paths] == ["file-a", "file-b", "file-c"]
    assert keeper.files == ["a", "b", "c"]
    assert len(keeper.until) == 1  # the day began with the first try of the first attempt
