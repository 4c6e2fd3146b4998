"""Signing up, logging in, and coming into an organisation of others."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from openhearth.platform.accounts.routes.tries import ABOUT_ONE, FROM_ONE
from tests.platform.accounts.conftest import PASSWORD

Client = Callable[..., TestClient]
ADA = {"email": "ada@example.org", "password": PASSWORD}
USERS = "/v1/organization/users"
INVITES = "/v1/organization/invites"


def test_who_signs_up_has_a_key_to_an_organisation_of_its_own(client: Client) -> None:
    joined = client().post("/v1/signup", json=ADA | {"organization": "Engines"}).json()
    assert joined["user"]["email"] == "ada@example.org"
    assert joined["user"]["name"] == "ada"
    assert joined["organization"]["name"] == "Engines"
    assert joined["api_key"]["scopes"] == ["admin", "files", "inference", "jobs", "usage"]
    me = client(joined["api_key"]["value"]).get("/v3/whoami").json()
    assert me == {
        "type": "project_api_key",
        "api_key": {"id": joined["api_key"]["id"]},
        "organization": joined["organization"],
        "project": joined["project"],
    }


def test_an_address_has_one_account_however_it_is_written(client: Client) -> None:
    assert client().post("/v1/signup", json=ADA).status_code == 200
    again = client().post("/v1/signup", json=ADA | {"email": " ADA@example.org "})
    assert (again.status_code, again.json()["error"]["code"]) == (400, "email_taken")


def test_logging_in_gives_another_key_for_a_while(client: Client, join: Client) -> None:
    first = join("ada@example.org")
    answer = client().post("/v1/login", json=ADA).json()
    assert answer["api_key"]["expires_at"]
    second = client(answer["api_key"]["value"])
    assert second.get("/v3/whoami").json()["project"] == first.get("/v3/whoami").json()["project"]


@pytest.mark.parametrize("email", ["ada@example.org", "nobody@example.org", "local@local"])
def test_a_wrong_password_is_refused_in_the_same_words(
    email: str, client: Client, join: Client
) -> None:
    join("ada@example.org")
    answer = client().post("/v1/login", json={"email": email, "password": "wrong " + PASSWORD})
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "invalid_credentials")
    assert answer.json()["error"]["message"].startswith("The e-mail address or the password")


def test_passwords_cannot_be_tried_without_end(client: Client, join: Client) -> None:
    join("ada@example.org")
    wrong = ADA | {"password": "wrong"}
    seen = [client().post("/v1/login", json=wrong).status_code for _ in range(ABOUT_ONE)]
    assert seen == [401] * (ABOUT_ONE - 1) + [429]
    answer = client().post("/v1/login", json=ADA)
    assert answer.status_code == 429
    assert 0 < int(answer.headers["retry-after"]) <= 61
    assert client().post("/v1/login", json=ADA | {"email": "b@b.org"}).status_code == 401


def test_who_tries_from_one_address_holds_up_nobody_elsewhere(app: FastAPI) -> None:
    one, other = (TestClient(app, client=(host, 1)) for host in ("192.0.2.1", "192.0.2.2"))

    def wrong(client: TestClient, n: int) -> int:
        body = {"email": f"user{n}@example.org", "password": "wrong"}
        # What anybody may write into a header changes nothing.
        headers = {"x-forwarded-for": f"198.51.100.{n}"}
        return client.post("/v1/login", json=body, headers=headers).status_code

    assert [wrong(one, n) for n in range(FROM_ONE + 2)] == [401] * FROM_ONE + [429] * 2
    assert wrong(other, 0) == 401


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("email", "nobody"),
        ("email", "a b@c.org"),
        ("email", "a\x00@c.org"),
        ("email", "a" * 250 + "@c.org"),
        ("email", 7),
        ("password", "seven77"),
        ("password", "x" * 257),
        ("password", None),
        ("name", ""),
        ("name", "a\x1b[31m"),
        ("name", "x" * 101),
        ("organization", "\x00"),
        ("role", "owner"),
    ],
)
def test_malformed_fields_are_named_and_not_repeated(
    field: str, value: object, client: Client
) -> None:
    answer = client().post("/v1/signup", json=ADA | {field: value})
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert error["param"] == field
    assert len(str(value)) < 7 or str(value) not in error["message"]


def test_bodies_of_strangers_are_small(client: Client) -> None:
    assert client().post("/v1/signup", json=ADA | {"name": "x" * 20_000}).status_code == 413


def test_an_invite_leads_into_the_organisation_once(
    owner: TestClient, client: Client, join: Client
) -> None:
    made = owner.post(INVITES, json={"email": "Ada@example.org", "role": "member"}).json()
    assert (made["status"], made["role"]) == ("pending", "member")
    for wrong in ({"email": "eve@example.org"}, {"invite": made["token"] + "a"}):
        answer = client().post("/v1/signup", json=ADA | {"invite": made["token"]} | wrong)
        assert answer.status_code == 400
    ada = join("ada@example.org", invite=made["token"])
    home = owner.get("/v3/whoami").json()
    assert ada.get("/v3/whoami").json()["organization"] == home["organization"]
    assert [user["role"] for user in owner.get(USERS).json()["data"]] == ["owner", "member"]
    assert owner.get(f"{INVITES}/{made['id']}").json()["status"] == "accepted"
    again = client().post("/v1/signup", json=ADA | {"invite": made["token"]})
    assert again.status_code == 400


def test_who_has_an_account_comes_in_with_the_same_password(
    owner: TestClient, client: Client, join: Client
) -> None:
    join("ada@example.org")
    made = owner.post(INVITES, json={"email": "ada@example.org", "role": "reader"}).json()
    wrong = client().post("/v1/signup", json=ADA | {"password": "x" * 9, "invite": made["token"]})
    assert wrong.json()["error"]["code"] == "email_taken"
    ada = join("ada@example.org", invite=made["token"])
    home = owner.get("/v3/whoami").json()["organization"]
    assert ada.get("/v3/whoami").json()["organization"] == home


def test_an_invite_may_be_taken_back(owner: TestClient, client: Client) -> None:
    made = owner.post(INVITES, json={"email": "ada@example.org", "role": "owner"}).json()
    assert "token" not in owner.get(INVITES).json()["data"][0]
    gone = owner.delete(f"{INVITES}/{made['id']}").json()
    assert gone == {"id": made["id"], "object": "organization.invite.deleted", "deleted": True}
    assert client().post("/v1/signup", json=ADA | {"invite": made["token"]}).status_code == 400
    assert owner.get(INVITES).json()["data"] == []


def test_who_was_expelled_comes_back_to_an_organisation_of_its_own(
    owner: TestClient, invited: Client, client: Client
) -> None:
    member = invited("member")
    user = owner.get(USERS).json()["data"][1]["id"]
    assert owner.delete(f"{USERS}/{user}").json()["deleted"]
    assert member.get("/v3/whoami").status_code == 401
    login = {"email": "member@example.org", "password": PASSWORD}
    back = client().post("/v1/login", json=login).json()
    assert back["organization"]["id"] != owner.get("/v3/whoami").json()["organization"]["id"]
