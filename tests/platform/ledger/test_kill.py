"""Processes are killed (kill -9) amid thousands of grouped commits, and the books balance."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from pathlib import Path
from random import Random
from typing import Any

import pytest
from sqlalchemy import func, select

from openhearth.platform.database import Database
from openhearth.platform.ledger.tables import holds, receipts
from tests.platform.conftest import new_database
from tests.platform.ledger.conftest import Books

GRANTED = 10**12
ROUNDS = 4
LINES = 600  # of each process, before it is killed some moments later
SPENDER = Path(__file__).with_name("spender.py")


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'books.db'}"
    return new_database(request.getfixturevalue("postgres"))


def spend_and_die(url: str, name: str, folder: Path, moment: float) -> list[list[str]]:
    """Two processes at once, killed in the middle; the lines that both wrote."""
    outputs = [folder / f"{name}-{number}.txt" for number in range(2)]
    with contextlib.ExitStack() as stack:
        processes = []
        for output in outputs:
            file = stack.enter_context(output.open("w"))
            command = [sys.executable, str(SPENDER), url, output.stem]
            processes.append(subprocess.Popen(command, stdout=file))
        try:
            end = time.monotonic() + 120
            while any(output.read_text().count("\n") < LINES for output in outputs):
                assert time.monotonic() < end
                assert all(process.poll() is None for process in processes)
                time.sleep(0.02)
            time.sleep(moment)
        finally:
            for process in processes:
                process.kill()
                process.wait()
    # The last line may have been cut by the kill.
    return [line.split() for output in outputs for line in output.read_text().split("\n")[:-1]]


def test_whatever_is_killed_each_token_is_charged_once_or_not_at_all(
    url: str, tmp_path: Path
) -> None:
    random = Random(7)
    with contextlib.closing(Database.open(url)) as database:
        books = Books(database)
        books.grant(GRANTED)
        said: list[list[str]] = []
        for number in range(ROUNDS):
            said += spend_and_die(url, f"round{number}", tmp_path, random.uniform(0, 0.2))
            books.check()  # also while holds are left
        assert books.sweep_the_dead() > 0
        check_all(books, said)
        books.check()
        books.ledger.close()


def check_all(books: Books, said: list[list[str]]) -> None:
    """Finished requests were charged what they were told, others for what they had delivered."""
    with books.database.reading() as connection:
        states = dict(connection.execute(select(holds.c.request_id, holds.c.state)).all())
        totals: Any = dict(
            connection.execute(select(receipts.c.request_id, receipts.c.total)).all()
        )
        open_holds = select(func.count()).where(holds.c.state == "held")
        assert connection.execute(open_holds).scalar() == 0
    delivering = {
        request_id: int(tokens) for word, request_id, tokens in said if word == "delivers"
    }
    settled = {request_id: int(total) for word, request_id, total in said if word == "settled"}
    assert len(settled) > ROUNDS * LINES / 4
    assert {request_id: totals[request_id] for request_id in settled} == settled
    for request_id, state in states.items():
        if state == "released":
            assert request_id not in totals
        if state == "swept":
            most = delivering.get(request_id, 0)
            assert totals.get(request_id, 0) <= (100 + 40 * most if most else 0)
    assert books.wallet == (GRANTED - sum(totals.values()), 0)
