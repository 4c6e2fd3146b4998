"""Two organisations: whatever one asks about the other is answered as if that had never been."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient

Client = Callable[..., TestClient]
HERE = "/v1/organization"
JSON = {"content-type": "application/json"}
NAME = {"name": "x"}
ROLE = {"role": "reader"}
QUESTIONS: list[tuple[str, str, Any]] = [
    ("GET", "/projects/{project}", None),
    ("POST", "/projects/{project}", NAME),
    ("POST", "/projects/{project}/archive", None),
    ("GET", "/projects/{project}/api_keys", None),
    ("POST", "/projects/{project}/api_keys", NAME),
    ("GET", "/projects/{project}/api_keys/{key}", None),
    ("GET", "/projects/{mine}/api_keys/{key}", None),
    ("POST", "/projects/{mine}/api_keys/{key}", {"requests_per_minute": 1}),
    ("DELETE", "/projects/{project}/api_keys/{key}", None),
    ("DELETE", "/projects/{mine}/api_keys/{key}", None),
    ("DELETE", "/api_keys/{key}", None),
    ("POST", "/api_keys", {"name": "x", "project_id": "{project}"}),
    ("GET", "/users/{user}", None),
    ("POST", "/users/{user}", ROLE),
    ("DELETE", "/users/{user}", None),
    ("GET", "/invites/{invite}", None),
    ("DELETE", "/invites/{invite}", None),
    ("GET", "/projects?after={project}", None),
    ("GET", "/api_keys?after={key}", None),
    ("GET", "/users?after={user}", None),
    ("GET", "/invites?after={invite}", None),
]


@pytest.fixture
def theirs(join: Client) -> dict[str, str]:
    """The ids of all that another organisation has."""
    other = join("other@example.org")
    invite = other.post(f"{HERE}/invites", json={"email": "c@example.org", "role": "reader"})
    return {
        "project": other.get(f"{HERE}/projects").json()["data"][0]["id"],
        "key": other.get(f"{HERE}/api_keys").json()["data"][0]["id"],
        "user": other.get(f"{HERE}/users").json()["data"][0]["id"],
        "invite": invite.json()["id"],
    }


def answers(client: TestClient, ids: dict[str, str]) -> list[tuple[int, str]]:
    """The status and the text of each question, without the ids."""
    seen = []
    for method, path, body in QUESTIONS:
        sent = json.dumps(body).replace("{project}", ids["project"])
        answer = client.request(method, HERE + path.format(**ids), content=sent, headers=JSON)
        text = answer.text
        for name, identifier in ids.items():
            text = text.replace(identifier, name)
        seen.append((answer.status_code, text))
    return seen


def test_what_belongs_to_others_is_as_unknown_as_what_never_was(
    owner: TestClient, theirs: dict[str, str]
) -> None:
    mine = {"mine": owner.get("/v3/whoami").json()["project"]["id"]}
    never = {name: value[:-32] + "0" * 32 for name, value in theirs.items()}
    foreign = answers(owner, theirs | mine)
    assert foreign == answers(owner, never | mine)
    for (status, _), (_, path, _) in zip(foreign, QUESTIONS, strict=True):
        assert status == (400 if "?after" in path else 404), path


def test_lists_show_nothing_of_others(
    owner: TestClient, theirs: dict[str, str], join: Client
) -> None:
    third = join("third@example.org")
    for path in ("/projects", "/api_keys", "/users", "/invites"):
        for client in (owner, third):
            assert not any(i in client.get(HERE + path).text for i in theirs.values())
    assert theirs["project"] not in owner.get("/v1/projects").text


def test_an_invite_says_nothing_of_whether_there_is_an_account(
    owner: TestClient, theirs: dict[str, str]
) -> None:
    made = [
        owner.post(f"{HERE}/invites", json={"email": email, "role": "reader"})
        for email in ("other@example.org", "nobody@example.org")
    ]
    assert [answer.status_code for answer in made] == [200, 200]
    assert set(made[0].json()) == set(made[1].json())
