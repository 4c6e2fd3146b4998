"""The application with accounts in a new database of each kind, and people who use it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from openhearth.platform import create_app
from openhearth.platform.accounts import Accounts, passwords, router
from openhearth.platform.database import Database

PASSWORD = "correct horse battery"


@pytest.fixture(autouse=True)
def _quick_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "N", 2**4)


@pytest.fixture
def accounts(database: Database) -> Accounts:
    return Accounts(database)


@pytest.fixture
def app(engine: Any, accounts: Accounts) -> FastAPI:
    made = create_app(engine, accounts)
    made.include_router(router(accounts))
    return made


@pytest.fixture
def client(app: FastAPI) -> Iterator[Callable[..., TestClient]]:
    """Makes a client that sends a key, or none."""
    with ExitStack() as stack:

        def make(key: str | None = None) -> TestClient:
            headers = {"authorization": f"Bearer {key}"} if key else {}
            return stack.enter_context(
                TestClient(app, headers=headers, raise_server_exceptions=False)
            )

        yield make


@pytest.fixture
def owner(accounts: Accounts, client: Callable[..., TestClient]) -> TestClient:
    """The owner of this machine."""
    return client(accounts.first_start())


@pytest.fixture
def join(client: Callable[..., TestClient]) -> Callable[..., TestClient]:
    """Signs somebody up, and gives a client with the first key."""

    def sign_up(email: str, **more: str) -> TestClient:
        answer = client().post("/v1/signup", json={"email": email, "password": PASSWORD} | more)
        assert answer.status_code == 200, answer.text
        return client(answer.json()["api_key"]["value"])

    return sign_up


@pytest.fixture
def invited(owner: TestClient, join: Callable[..., TestClient]) -> Callable[..., TestClient]:
    """A member of the owner's organisation with some role."""

    def come_in(role: str) -> TestClient:
        email = f"{role}@example.org"
        invite = owner.post("/v1/organization/invites", json={"email": email, "role": role})
        return join(email, invite=invite.json()["token"])

    return come_in
