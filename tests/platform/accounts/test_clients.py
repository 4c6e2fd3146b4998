"""The official clients, unmodified, and Together's command line, against a real server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from openai import NotFoundError, OpenAI, PermissionDeniedError
from together import Together

from openhearth.platform.accounts import Accounts
from tests.platform.conftest import running


@dataclass
class Server:
    """Where the server is, and its owner's key."""

    url: str
    key: str


@pytest.fixture
def server(app: FastAPI, accounts: Accounts) -> Iterator[Server]:
    key = accounts.first_start()
    assert key
    with running(app) as url:
        yield Server(url, key)


def test_openai_administers(server: Server) -> None:
    client = OpenAI(base_url=f"{server.url}/v1", api_key="none", admin_api_key=server.key)
    admin = client.admin.organization
    for i in range(3):
        admin.projects.create(name=f"p{i}")
    found = list(admin.projects.list(limit=2))
    assert sorted(str(project.name) for project in found) == ["Default", "p0", "p1", "p2"]
    assert admin.projects.retrieve(found[0].id).object == "organization.project"

    own = next(project.id for project in found if project.name == "Default")
    (key,) = admin.projects.api_keys.list(own)
    assert key.owner.user
    assert (key.name, key.owner.user.role) == ("first", "owner")
    assert admin.projects.api_keys.retrieve(key.id, project_id=own).id == key.id
    (user,) = admin.users.list()
    assert admin.users.retrieve(user.id).role == "owner"
    invite = admin.invites.create(email="a@example.org", role="reader")
    assert [one.status for one in admin.invites.list()] == ["pending"]
    assert admin.invites.delete(invite.id).deleted
    with pytest.raises(NotFoundError, match="no project"):
        admin.projects.retrieve("proj_unknown")


def test_openai_sees_limits_and_missing_scopes(server: Server, accounts: Accounts) -> None:
    with accounts.changing() as connection:
        _, secret = accounts.local(connection).key(connection, "files", scopes={"files"})
    client = OpenAI(base_url=f"{server.url}/v1", api_key=secret)
    headers = client.models.with_raw_response.list().headers
    assert headers["x-ratelimit-limit-requests"]
    with pytest.raises(PermissionDeniedError, match="'inference'") as error:
        client.completions.create(model="tiny", prompt="Hi")
    assert error.value.code == "missing_scope"


def test_together_knows_who_it_is(server: Server) -> None:
    client = Together(base_url=server.url, api_key=server.key)
    me: Any = client.whoami()
    assert me.type == "project_api_key"
    OpenAI(
        base_url=f"{server.url}/v1", api_key="none", admin_api_key=server.key
    ).admin.organization.projects.create(name="Another")
    found = list(client.projects.list(limit=1))
    assert {project.name for project in found} == {"Default", "Another"}
    assert {project.organization_id for project in found} == {me.organization.id}


def test_together_s_command_line_knows_who_it_is(server: Server, tmp_path: Path) -> None:
    def tg(*words: str) -> Any:
        done = subprocess.run(
            [Path(sys.executable).parent / "tg", *words, "--json"],
            env={
                **os.environ,
                "HOME": str(tmp_path),
                "TOGETHER_API_KEY": server.key,
                "TOGETHER_BASE_URL": server.url,
                "TOGETHER_TELEMETRY_DISABLED": "1",
            },
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr + done.stdout
        return json.loads(done.stdout)

    me = tg("whoami")
    assert set(me) == {"type", "api_key", "organization", "project"}
    assert me["project"]["id"] in json.dumps(tg("projects", "list"))
