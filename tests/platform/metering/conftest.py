"""The routes before the fake engine, metered: one payer, whose wallet the tests fill."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from starlette.requests import HTTPConnection

from openhearth.platform import Keys, create_app
from openhearth.platform.database import Database
from openhearth.platform.metering import Tab
from openhearth.platform.metering.ledger_meter import LedgerTab
from tests.platform.ledger.conftest import Books


@dataclass(frozen=True)
class Limits:
    spending_cap: int | None = None


@dataclass(frozen=True)
class Payer:
    key: str = "key_a"
    project: str = "proj_a"
    organisation: str = "org_a"
    limits: Limits = Limits()


@dataclass
class OnePayer:
    """A meter for whom every caller is the same."""

    books: Books
    payer: Payer = Payer()

    def tab(self, http: HTTPConnection) -> Tab:
        return LedgerTab(self.books.ledger, http.state.request_id, self.payer)


@pytest.fixture
def books(tmp_path: Path) -> Iterator[Books]:
    with contextlib.closing(Database.open(tmp_path / "books.db")) as database:
        opened = Books(database)
        with contextlib.closing(opened.ledger):
            yield opened
            opened.check()


@pytest.fixture
def other(books: Books) -> Iterator[Books]:
    """The ledger of another process."""
    opened = Books(books.database)
    with contextlib.closing(opened.ledger):
        yield opened


@pytest.fixture
def meter(books: Books) -> OnePayer:
    return OnePayer(books)


@pytest.fixture
def app(engine: Any, keys: Keys, meter: OnePayer) -> Any:
    return create_app(engine, keys, meter=meter)


@pytest.fixture
def http(app: Any, keys: Keys) -> Iterator[TestClient]:
    headers = {"authorization": f"Bearer {keys.create('test')}"}
    with TestClient(app, headers=headers, raise_server_exceptions=False) as client:
        yield client
