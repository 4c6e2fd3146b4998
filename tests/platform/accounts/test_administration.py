"""Projects, keys and members of an organisation: what owners may do, and others may not."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from openhearth.platform.accounts import Accounts, organisations
from openhearth.platform.errors import ApiError
from tests.waiting import WAIT

Client = Callable[..., TestClient]
PROJECTS = "/v1/organization/projects"
KEYS = "/v1/organization/api_keys"
USERS = "/v1/organization/users"
CHAT = {"model": "tiny", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 2}


def code_of(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def test_a_key_is_shown_once_and_ends_when_it_is_revoked(owner: TestClient, client: Client) -> None:
    made = owner.post(KEYS, json={"name": "app", "scopes": ["inference"]}).json()
    app = client(made["value"])
    assert app.post("/v1/chat/completions", json=CHAT).status_code == 200
    listed = owner.get(KEYS).json()["data"]
    assert [key["name"] for key in listed] == ["first", "app"]
    assert all("value" not in key for key in listed)
    assert listed[1]["redacted_value"] == made["value"][:5] + "…" + made["value"][-4:]
    assert listed[1]["last_used_at"]
    assert listed[1]["owner"]["user"]["role"] == "owner"
    gone = owner.delete(f"{KEYS}/{made['id']}").json()
    assert gone == {
        "id": made["id"],
        "object": "organization.project.api_key.deleted",
        "deleted": True,
    }
    assert code_of(app.post("/v1/chat/completions", json=CHAT)) == (401, "invalid_api_key")
    assert owner.delete(f"{KEYS}/{made['id']}").status_code == 404
    assert [key["name"] for key in owner.get(KEYS).json()["data"]] == ["first"]


def test_scopes_are_enforced(owner: TestClient, client: Client) -> None:
    key = owner.post(KEYS, json={"name": "files", "scopes": ["files"]}).json()["value"]
    answer = client(key).post("/v1/chat/completions", json=CHAT)
    assert code_of(answer) == (403, "missing_scope")
    assert "'inference'" in answer.json()["error"]["message"]
    assert client(key).get("/v1/models").status_code == 200
    assert code_of(client(key).get(KEYS)) == (403, "missing_scope")


def test_members_use_and_readers_look(invited: Client) -> None:
    member, reader = invited("member"), invited("reader")
    assert member.post("/v1/chat/completions", json=CHAT).status_code == 200
    assert code_of(member.post(KEYS, json={"name": "more"})) == (403, "missing_scope")
    assert code_of(reader.post("/v1/chat/completions", json=CHAT)) == (403, "missing_scope")
    assert code_of(reader.post("/v1/files", json={})) == (403, "insufficient_role")
    assert reader.get("/v3/whoami").status_code == 200


def test_roles_change_at_once_and_an_owner_stays(owner: TestClient, invited: Client) -> None:
    member = invited("member")
    first, second = [user["id"] for user in owner.get(USERS).json()["data"]]
    for answer in (
        owner.post(f"{USERS}/{first}", json={"role": "member"}),
        owner.delete(f"{USERS}/{first}"),
    ):
        assert answer.status_code == 400
        assert "needs an owner" in answer.json()["error"]["message"]
    assert owner.post(f"{USERS}/{second}", json={"role": "owner"}).json()["role"] == "owner"
    assert member.post(f"{USERS}/{first}", json={"role": "reader"}).json()["role"] == "reader"
    assert code_of(owner.get(USERS)) == (403, "missing_scope")


def test_projects(owner: TestClient, client: Client) -> None:
    made = owner.post(PROJECTS, json={"name": "Über uns!"}).json()
    assert made["slug"] == f"uber-uns-{made['id'][-6:]}"
    key = owner.post(f"{PROJECTS}/{made['id']}/api_keys", json={"name": "in it"}).json()
    assert client(key["value"]).get("/v3/whoami").json()["project"]["id"] == made["id"]
    assert owner.post(f"{PROJECTS}/{made['id']}", json={"name": "Us"}).json()["name"] == "Us"
    assert [row["name"] for row in owner.get("/v1/projects").json()["data"]] == ["Default", "Us"]
    archived = owner.post(f"{PROJECTS}/{made['id']}/archive").json()
    assert archived["status"] == "archived"
    assert client(key["value"]).get("/v3/whoami").status_code == 401
    assert len(owner.get(PROJECTS).json()["data"]) == 1
    assert len(owner.get(PROJECTS, params={"include_archived": True}).json()["data"]) == 2
    more = owner.post(f"{PROJECTS}/{made['id']}/api_keys", json={"name": "more"})
    assert (more.status_code, more.json()["error"]["param"]) == (400, "project_id")
    own = owner.get("/v3/whoami").json()["project"]["id"]
    assert owner.post(f"{PROJECTS}/{own}/archive").status_code == 400


def test_a_key_without_admin_sees_its_own_project_alone(owner: TestClient, client: Client) -> None:
    owner.post(PROJECTS, json={"name": "Secret"})
    key = owner.post(KEYS, json={"name": "app", "scopes": ["inference"]}).json()["value"]
    assert [row["name"] for row in client(key).get("/v1/projects").json()["data"]] == ["Default"]


def test_limits_of_a_key_may_change(owner: TestClient, client: Client) -> None:
    limits = {"requests_per_minute": 2, "tokens_per_minute": 50, "spending_cap": 10**8}
    made = owner.post(KEYS, json={"name": "small", **limits}).json()
    assert {name: made[name] for name in limits} == limits
    small = client(made["value"])
    first = small.get("/v1/models")
    assert first.headers["x-ratelimit-limit-requests"] == "2"
    assert first.headers["x-ratelimit-remaining-requests"] == "1"
    assert first.headers["x-ratelimit-limit-tokens"] == "50"
    small.get("/v1/models")
    refused = small.get("/v1/models")
    assert code_of(refused) == (429, "rate_limit_exceeded")
    assert int(refused.headers["retry-after"]) <= 61
    assert refused.headers["x-ratelimit-remaining-requests"] == "0"
    path = f"{PROJECTS}/{made['project_id']}/api_keys/{made['id']}"
    changed = owner.post(path, json={"requests_per_minute": None, "scopes": ["usage"]}).json()
    assert (changed["requests_per_minute"], changed["tokens_per_minute"]) == (None, 50)
    assert changed["scopes"] == ["usage"]
    assert small.get("/v1/models").status_code == 200


def test_every_reply_to_a_known_key_says_what_is_left(owner: TestClient, client: Client) -> None:
    app = client(owner.post(KEYS, json={"name": "app", "scopes": ["inference"]}).json()["value"])
    streamed = CHAT | {"stream": True}
    replies = [
        app.get("/v1/models"),
        app.get("/v1/models/nothing"),
        app.get(KEYS),
        app.post("/v1/chat/completions", json={}),
        app.post("/v1/chat/completions", json=streamed),
    ]
    assert [reply.status_code for reply in replies] == [200, 404, 403, 400, 200]
    left = [int(reply.headers["x-ratelimit-remaining-requests"]) for reply in replies]
    assert left == list(range(left[0], left[0] - 5, -1))
    assert "x-ratelimit-limit" not in client("oh-wrong").get("/v1/models").headers


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": ""},
        {"name": "a", "scopes": []},
        {"name": "a", "scopes": ["everything"]},
        {"name": "a", "requests_per_minute": 0},
        {"name": "a", "tokens_per_minute": 1e30},
        {"name": "a", "spending_cap": -1},
        {"name": "a", "spending_cap": 2**63},
        {"name": "a", "expires_in_seconds": 0},
        {"name": "a", "limit": 5},
        {"name": "\ud800"},
    ],
)
def test_malformed_keys_are_refused(body: dict[str, Any], owner: TestClient) -> None:
    # As bytes, because a client would not write half of a surrogate pair.
    sent = {"content": json.dumps(body), "headers": {"content-type": "application/json"}}
    answer = owner.post(KEYS, **sent)
    assert answer.status_code == 400
    assert answer.json()["error"]["param"]
    assert len(owner.get(KEYS).json()["data"]) == 1


def test_lists_have_pages(owner: TestClient) -> None:
    made = [owner.post(PROJECTS, json={"name": f"p{i}"}).json()["id"] for i in range(4)]
    first = owner.get(PROJECTS, params={"limit": 2}).json()
    assert (first["object"], first["has_more"]) == ("list", True)
    assert first["last_id"] == first["data"][-1]["id"]
    second = owner.get(PROJECTS, params={"limit": 3, "after": first["last_id"]}).json()
    assert not second["has_more"]
    assert {p["id"] for p in first["data"] + second["data"]} > set(made)
    page = owner.get("/v1/projects", params={"limit": 4}).json()
    rest = owner.get("/v1/projects", params={"after": page["next_cursor"]}).json()
    assert (len(page["data"]), len(rest["data"]), rest["next_cursor"]) == (4, 1, None)


STRANGE = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/?#%\\"), min_size=1)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(strange=st.one_of(STRANGE, st.just("\x00"), st.just("x" * 5000)))
def test_strange_ids_are_just_unknown(strange: str, owner: TestClient) -> None:
    if strange.strip(".") == "":
        return  # the client takes dots out of paths
    for path in (PROJECTS, USERS, "/v1/organization/invites"):
        assert owner.get(f"{path}/{quoted(strange)}").status_code == 404
    answer = owner.get(KEYS, params={"after": strange})
    assert answer.status_code == 400


def quoted(text: str) -> str:
    return "".join(f"%{byte:02x}" for byte in text.encode())


def test_an_organisation_has_only_so_many_projects(
    owner: TestClient, join: Client, accounts: Accounts
) -> None:
    accounts.most_projects = 3
    second = owner.post(PROJECTS, json={"name": "second"}).json()
    assert owner.post(PROJECTS, json={"name": "third"}).status_code == 200
    assert code_of(owner.post(PROJECTS, json={"name": "more"})) == (400, "too_many_projects")
    assert owner.post(f"{PROJECTS}/{second['id']}/archive").status_code == 200
    refused = owner.post(PROJECTS, json={"name": "more"})
    assert code_of(refused) == (400, "too_many_projects")
    assert "archived ones included" in refused.json()["error"]["message"]
    assert join("b@example.org").post(PROJECTS, json={"name": "theirs"}).status_code == 200


def test_projects_that_are_made_at_once_are_counted_together(
    owner: TestClient, accounts: Accounts
) -> None:
    accounts.most_projects = 4
    organisation = owner.get("/v3/whoami").json()["organization"]["id"]
    begun = threading.Barrier(6)

    def make(number: int) -> bool:
        begun.wait(WAIT)
        try:
            with accounts.changing() as connection:
                organisations.check_room(connection, organisation, accounts.most_projects)
                organisations.create_project(connection, organisation, str(number))
        except ApiError:
            return False
        return True

    with ThreadPoolExecutor(6) as threads:
        assert sum(threads.map(make, range(6))) == 3


@pytest.mark.parametrize(
    "path", [PROJECTS, KEYS, USERS, "/v1/organization/invites", "/v1/projects"]
)
def test_every_list_has_pages(path: str, owner: TestClient) -> None:
    for number in range(2):
        for where in (PROJECTS, KEYS):
            owner.post(where, json={"name": f"n{number}"})
        owner.post("/v1/organization/invites", json={"email": f"{number}@b.c", "role": "reader"})
    whole = [row["id"] for row in owner.get(path).json()["data"]]
    assert len(whole) == (1 if path == USERS else 2 if "invites" in path else 3)
    paged: list[str] = []
    for _ in whole:
        more: dict[str, Any] = {"after": paged[-1]} if paged else {}
        (row,) = owner.get(path, params=more | {"limit": 1}).json()["data"]
        paged.append(row["id"])
    assert paged == whole
    for limit in (0, 101):
        assert owner.get(path, params={"limit": limit}).status_code == 400
