"""`/v1/files` over HTTP: forms of both dialects, those that are broken, and other projects."""

from __future__ import annotations

import hashlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from openhearth.platform import Keys, guard
from openhearth.platform.apart import Apart
from openhearth.platform.files import Files, router
from openhearth.platform.files import incoming as arriving
from tests.platform.area import application
from tests.platform.files.conftest import EXAMPLE, MOST

TOGETHER = {"user-agent": "Together/Python 3.1.1"}


def upload(
    http: TestClient, data: bytes = EXAMPLE, purpose: str = "fine-tune", name: str = "a.jsonl"
) -> Any:
    return http.post("/v1/files", data={"purpose": purpose}, files={"file": (name, data)})


def announce(http: TestClient, data: bytes = EXAMPLE, **more: str) -> Any:
    fields = {
        "purpose": "fine-tune",
        "file_name": "a.jsonl",
        "file_type": "jsonl",
        "checksum": hashlib.sha256(data).hexdigest(),
    }
    parts = {name: (None, value) for name, value in (fields | more).items()}
    return http.post("/v1/files", files=parts, headers=TOGETHER)


def test_one_form_brings_a_file(http: TestClient) -> None:
    made = upload(http).json()
    assert (made["filename"], made["bytes"], made["purpose"]) == (
        "a.jsonl",
        len(EXAMPLE),
        "fine-tune",
    )
    assert made["validation_report"] == {"valid": True, "nlines": 1}
    assert http.get(f"/v1/files/{made['id']}").json() == made
    content = http.get(f"/v1/files/{made['id']}/content")
    assert content.content == EXAMPLE
    assert content.headers["content-disposition"] == "attachment; filename*=utf-8''a.jsonl"
    assert http.delete(f"/v1/files/{made['id']}").json()["deleted"]
    assert http.get(f"/v1/files/{made['id']}").status_code == 404


def test_three_requests_bring_a_file(http: TestClient) -> None:
    begun = announce(http)
    assert begun.status_code == 302
    file, place = begun.headers["x-together-file-id"], begun.headers["location"]
    assert http.post(f"/v1/files/{file}/preprocess").status_code == 404
    put = http.put(place, content=EXAMPLE, headers={"authorization": ""})
    assert (put.status_code, put.json()["id"]) == (200, file)
    assert http.put(place, content=EXAMPLE).status_code == 404
    done = http.post(f"/v1/files/{file}/preprocess", headers=TOGETHER).json()
    assert (done["FileType"], done["processing_status"]) == ("jsonl", "COMPLETED")
    again = announce(http)
    assert (again.status_code, again.json()["file_id"]) == (409, file)
    assert again.headers["x-should-retry"] == "false"


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"files": {"file": ("a", b"{}\n")}}, "purpose"),
        ({"data": {"purpose": "x"}, "files": {"file": ("a", b"{}\n")}}, "purpose is none of"),
        ({"data": {"purpose": "evals", "expires_after[seconds]": "9"},
          "files": {"file": ("a", b"{}\n")}}, "expires_after"),
        ({"data": {"purpose": "fine-tune"}, "files": {"file": ("a.jsonl", b"{}\n")}}, "Line 1"),
        ({"data": {"purpose": "evals"}, "files": {"file": ("a.jsonl", b"")}}, "empty"),
        ({"data": {"purpose": "evals"}}, "file_name"),
        ({"json": {"purpose": "evals"}}, "purpose"),
        ({"files": {"a": ("a", b""), "b": ("b", b"")}}, "Too many files"),
        ({"content": b"", "headers": {"content-type": "multipart/form-data"}}, "boundary"),
        ({"content": b"nonsense",
          "headers": {"content-type": "multipart/form-data; boundary=x"}}, "Invalid multipart"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_form_is_said(http: TestClient, form: Any, said: str) -> None:
    reply = http.post("/v1/files", **form)
    assert reply.status_code == 400, reply.text
    assert said in reply.json()["error"]["message"]
    assert http.get("/v1/files").json()["data"] == []


@pytest.mark.parametrize(
    ("field", "value"),
    [("checksum", "abc"), ("file_type", "exe"), ("purpose", "x"), ("more", "1")],
)
def test_what_is_wrong_with_an_announcement_is_said(
    http: TestClient, field: str, value: str
) -> None:
    reply = announce(http, **{field: value})
    assert reply.status_code == 400
    assert field in reply.json()["error"]["message"]


def test_a_bad_line_is_said_when_the_content_comes(http: TestClient) -> None:
    data = EXAMPLE + b"{\n"
    place = announce(http, data).headers["location"]
    reply = http.put(place, content=data)
    assert reply.status_code == 400
    assert "Line 2 of a.jsonl is not JSON" in reply.json()["error"]["message"]
    assert http.get("/v1/files").json()["data"] == []


def test_what_is_too_large_is_refused(
    http: TestClient, monkeypatch: pytest.MonkeyPatch, contents: Path
) -> None:
    assert upload(http, b"x" * (MOST + 1), "user_data").status_code == 413
    place = announce(http, b"x" * (MOST + 1)).headers["location"]
    assert http.put(place, content=b"x" * (MOST + 1)).status_code == 413
    monkeypatch.setattr(guard, "MAX_UPLOAD", 1000)
    for headers in ({}, {"transfer-encoding": "chunked"}):
        body = b"x" * 2000 if not headers else iter([b"x" * 600] * 3)
        assert http.put(place, content=body, headers=headers).status_code == 413
    assert not contents.exists()


def test_a_file_may_be_larger_than_other_bodies(
    http: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "MAX_BODY", 1000)
    assert upload(http, b"x" * 5000, "user_data").status_code == 200
    assert http.post("/v1/other", content=b"x" * 5000).status_code == 413


def test_a_place_that_nobody_was_given_reads_nothing(http: TestClient) -> None:
    for headers in ({"authorization": ""}, {}):
        assert http.put("/v1/files/uploads/x", content=b"x", headers=headers).status_code == 404
    for path in ("/v1/files", "/v1/files/uploads/x", "/v1/files/uploads/content"):
        assert http.get(path, headers={"authorization": ""}).status_code == 401
    assert http.post("/v1/files/uploads/preprocess").status_code == 404


def test_lists_are_each_clients_own(http: TestClient) -> None:
    made = [upload(http, f'{{"n": {n}}}\n'.encode(), "evals").json()["id"] for n in range(3)]
    request = b'{"custom_id": "a", "body": {}}\n'
    batch = upload(http, request, "batch").json()
    assert batch["purpose"] == "batch"
    page = http.get("/v1/files", params={"limit": 2, "purpose": "evals"}).json()
    assert ([file["id"] for file in page["data"]], page["has_more"]) == (made[:0:-1], True)
    assert {file["purpose"] for file in page["data"]} == {"evals"}
    rest = http.get("/v1/files", params={"after": page["last_id"], "order": "desc"}).json()
    assert [file["id"] for file in rest["data"]] == made[:1]
    theirs = http.get("/v1/files", headers=TOGETHER).json()["data"]
    assert [file["purpose"] for file in theirs] == ["batch-api", "eval", "eval", "eval"]
    wrong = http.get("/v1/files", params={"after": "file-none"})
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (400, "invalid_cursor")


def test_another_project_finds_nothing(http: TestClient, keys: Keys) -> None:
    file = upload(http).json()["id"]
    other = {"authorization": f"Bearer {keys.create('proj_b')}"}
    unknown = http.get("/v1/files/file-none", headers=other).json()
    for method, path in [("GET", ""), ("GET", "/content"), ("DELETE", ""), ("POST", "/preprocess")]:
        reply = http.request(method, f"/v1/files/{file}{path}", headers=other)
        assert reply.status_code == 404
        assert reply.json()["error"]["code"] == unknown["error"]["code"] == "file_not_found"
    assert http.get("/v1/files", headers=other).json()["data"] == []
    begun = http.post(
        "/v1/files",
        files={
            "purpose": (None, "fine-tune"),
            "file_name": (None, "a.jsonl"),
            "file_type": (None, "jsonl"),
            "checksum": (None, hashlib.sha256(EXAMPLE).hexdigest()),
        },
        headers=other,
    )
    assert begun.status_code == 302  # not a word that somebody else has it


PARTS = st.lists(
    st.tuples(
        st.sampled_from(["purpose", "file", "file_name", "checksum", "\0", 'a"b']),
        st.sampled_from([None, "a.jsonl", "", "..", "\u00e9\n"]),
        st.binary(max_size=40),
    ),
    max_size=5,
)


def form(parts: Any, cut: int) -> bytes:
    """A form, perhaps broken off."""
    body = b""
    for name, filename, data in parts:
        body += f'--x\r\ncontent-disposition: form-data; name="{name}"'.encode()
        body += f'; filename="{filename}"'.encode() if filename is not None else b""
        body += b"\r\n\r\n" + data + b"\r\n"
    return (body + b"--x--\r\n")[: -cut or None]


# Starlette leaves a part that breaks off to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@settings(
    max_examples=120,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.builds(form, PARTS, st.integers(0, 20)) | st.binary(max_size=100))
def test_no_form_breaks_the_server(http: TestClient, body: bytes) -> None:
    headers = {"content-type": "multipart/form-data; boundary=x"}
    reply = http.post("/v1/files", content=body, headers=headers)
    assert reply.status_code in (200, 302, 400), reply.text


class OfAJob:
    """ASGI middleware: whoever asks is the process of a job."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        scope["state"]["job"] = "job_1"
        await self.app(scope, receive, send)


def test_what_comes_is_hashed_once(
    files: Files, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed: list[int] = []

    class Counting:
        def __init__(self) -> None:
            self._hash = hashlib.sha256()
            self.hexdigest = self._hash.hexdigest

        def update(self, chunk: bytes) -> None:
            hashed.append(len(chunk))
            self._hash.update(chunk)

    monkeypatch.setattr(arriving, "hashlib", SimpleNamespace(sha256=Counting))
    headers = {"authorization": f"Bearer {keys.create('proj_a')}"}
    for within, letter in (([], b"x"), ([OfAJob], b"y")):
        app = application(keys, router(files, Apart()), within=within)
        with TestClient(app, headers=headers) as client:
            assert upload(client, letter * 5000, "user_data").json()["bytes"] == 5000
        assert sum(hashed) == 5000
        hashed.clear()
