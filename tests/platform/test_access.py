"""What paths ask of a caller."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from openhearth.platform.access import NEEDS, OPEN, UPLOADS, admit, is_open, scope_of
from openhearth.platform.caller import ALLOWED, SCOPES, Caller, Limits
from openhearth.platform.errors import ApiError

PAGE = (Path(__file__).parents[2] / "docs/reference/accounts.md").read_text()


def caller(role: str = "owner", *scopes: str) -> Caller:
    return Caller("key", "proj", "org", "user", role, frozenset(scopes or ALLOWED[role]), Limits())


def refusal(who: Caller, method: str, path: str) -> tuple[int, str | None, str]:
    with pytest.raises(ApiError) as caught:
        admit(who, method, path)
    error = caught.value.reply.error
    return caught.value.status, error.code, error.message


@pytest.mark.parametrize(
    ("path", "scope"),
    [
        ("/v1/chat/completions", "inference"),
        ("/v1/files/file-1/content", "files"),
        ("/v1/fine-tunes/ft-1/events", "jobs"),
        ("/v1/fine_tuning/jobs", "jobs"),
        ("/v1/organization/usage/completions", "usage"),
        ("/v1/organization/projects", "admin"),
        ("/v1/files-and-more", "admin"),
        ("/nowhere", "admin"),
        ("/v3/whoami", None),
        ("/v1/models/me/tiny:2", None),
    ],
)
def test_scopes_of_paths(path: str, scope: str | None) -> None:
    assert scope_of(path) == scope


@pytest.mark.parametrize(("path", "scope"), NEEDS.items())
def test_a_missing_scope_is_named(path: str, scope: str | None) -> None:
    admit(caller("owner"), "POST", path)
    if scope is not None:
        others = SCOPES - {scope}
        status, code, message = refusal(caller("owner", *others), "GET", path)
        assert (status, code) == (403, "missing_scope")
        assert repr(scope) in message


def test_a_reader_looks_and_makes_nothing() -> None:
    for path in ("/v1/files", "/v1/fine_tuning/jobs", "/v1/billing/usage"):
        admit(caller("reader"), "GET", path)
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            assert refusal(caller("reader"), method, path)[:2] == (403, "insufficient_role")
    assert refusal(caller("reader"), "POST", "/v1/chat/completions")[1] == "missing_scope"


def test_members_do_not_administer() -> None:
    assert refusal(caller("member"), "GET", "/v1/organization/users")[1] == "missing_scope"


def test_few_paths_are_open() -> None:
    assert is_open("GET", "/health")
    assert is_open("POST", "/v1/signup")
    assert not is_open("POST", "/v1/signup/")
    assert not is_open("GET", "/v1/models")
    assert is_open("PUT", "/v1/files/uploads/ticket")
    assert not is_open("GET", "/v1/files/uploads/ticket")
    assert not is_open("PUT", "/v1/files/uploads")


def test_the_reference_says_what_each_path_asks() -> None:
    rows = dict(re.findall(r"^\| (.+?) \| (`/.+?) \|$", PAGE, re.MULTILINE))
    written = {
        path: kind.strip("`")
        for kind, paths in rows.items()
        for path in re.findall(r"`(.+?)`", paths)
    }
    kinds = {path: scope or "any key" for path, scope in NEEDS.items()}
    kinds |= dict.fromkeys({*OPEN, f"PUT {UPLOADS}…"}, "no key") | {"/v1/organization": "admin"}
    assert written == kinds
