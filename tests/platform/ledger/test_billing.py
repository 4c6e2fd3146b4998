"""`/v1/billing`, asked by Together's client where it knows the route, agrees with the books."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient
from together import AsyncTogether

from openhearth.platform import errors
from openhearth.platform.ledger import KINDS, billing, units_of
from openhearth.platform.ledger.usage import DAY, HOUR

NOON = 1_781_524_800  # 15 June 2026, 12:00 UTC
MONTH = "2026-06"


@dataclass
class Member:
    organisation: str = "org_a"
    scopes: frozenset[str] = frozenset({"usage", "admin"})


@pytest.fixture
def member() -> Member:
    return Member()


@pytest.fixture
def app(books: Any, member: Member) -> FastAPI:
    app = FastAPI()
    errors.install(app)
    app.include_router(billing.router(books.ledger, books.database, operator="org_a"))

    @app.middleware("http")
    async def guard(request: Request, follow: Any) -> Any:
        request.state.caller = member
        return await follow(request)

    return app


@pytest.fixture
def http(app: FastAPI) -> Iterator[TestClient]:
    with TestClient(app) as client:
        yield client


def windows(app: FastAPI, **asked: Any) -> list[Any]:
    """All windows of the report, as Together's client reads them page by page."""

    async def main() -> list[Any]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app)) as connection:
            client = AsyncTogether(
                api_key="any", base_url="http://testserver", http_client=connection
            )
            return [window async for window in client.organization.usage.costs.list(**asked)]

    return asyncio.run(main())


@pytest.fixture
def used(books: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Requests at several times of a month, of two models, two keys, and another organisation."""
    books.grant(10**8)
    books.grant(10**8, "org_b")
    moments = [NOON - 3 * DAY, NOON - HOUR, NOON, NOON + 60, NOON + HOUR, NOON + 40 * DAY]
    for number, moment in enumerate(moments):
        monkeypatch.setattr(time, "time", lambda moment=moment: moment)
        request_id, model = f"r{number}", "tiny" if number % 2 else "large"
        books.hold(request_id, 10**5, key=f"key_{number % 2}", model=model)
        books.settle(request_id, {"input": 7 + number, "cached_input": number, "output": 3})
    books.hold("foreign", 10**5, "org_b")
    books.settle("foreign", {"output": 3})
    return books


def test_the_usage_report_agrees_with_the_receipts(app: FastAPI, used: Any) -> None:
    for granularity, days in (("day", 2), ("hour", 4)):
        found = windows(app, month=MONTH, granularity=granularity)
        assert len(found) == days
        lines = [line for window in found for line in window.line_items]
        receipts = [used.receipt(f"r{number}") for number in range(5)]
        assert sum(units_of(line.cost) for line in lines) == sum(r.total for r in receipts)
        for line in lines:
            assert units_of(line.cost) == int(line.quantity) * units_of(line.unit_price)
            assert line.attributes["model"] in ("tiny", "large")


def test_pages_are_the_whole_in_parts(app: FastAPI, http: TestClient, used: Any) -> None:
    pages = windows(app, month=MONTH, granularity="hour", limit=1)
    by_one = [window.model_dump() for window in pages]
    whole = http.get("/v1/billing/usage", params={"month": MONTH, "granularity": "hour"}).json()
    assert len(by_one) == len(whole["data"]) == 4
    assert [w["date"] for w in by_one] == ["2026-06-12"] + ["2026-06-15"] * 3
    assert whole["next_cursor"] is None
    assert whole["earliest_window_start"] == "2026-06-12T12:00:00Z"
    assert whole["latest_window_end"] == "2026-06-15T14:00:00Z"
    assert whole["organization_id"] == "org_a"


def test_one_window_adds_up_what_is_alike(http: TestClient, used: Any) -> None:
    (_, day) = http.get("/v1/billing/usage", params={"month": MONTH}).json()["data"]
    large = [line for line in day["line_items"] if line["attributes"]["model"] == "large"]
    assert [(line["product_name"], line["quantity"]) for line in large] == [
        ("Inference - Cached Input Tokens", "6"),
        ("Inference - Input Tokens", "20"),
        ("Inference - Output Tokens", "6"),
    ]
    assert large[0]["cost"] == "0.0000003"
    assert large[0]["pricing_dimensions"] == {"kind": "cached_input", "price_version": "1"}


def test_a_month_without_usage_is_empty(http: TestClient) -> None:
    report = http.get("/v1/billing/usage").json()
    assert report["data"] == []
    assert report["billing_period"] == time.strftime("%Y-%m", time.gmtime())
    assert report["earliest_window_start"] is report["next_cursor"] is None


@pytest.mark.parametrize(
    ("query", "status", "param"),
    [
        ({"month": "2026-13"}, 400, "month"),
        ({"month": "x"}, 400, "month"),
        ({"granularity": "week"}, 400, "granularity"),
        ({"limit": 0}, 400, "limit"),
        ({"limit": 1001}, 400, "limit"),
        ({"after": "nonsense"}, 400, "after"),
        ({"after": "w7w="}, 400, "after"),
        ({"after": "MjAyNi0wNSBkYXkgMA=="}, 400, "after"),  # of May
        ({"organization_id": "org_b"}, 403, "organization_id"),
    ],
)
def test_wrong_questions_are_refused(query: Any, status: int, param: str, http: TestClient) -> None:
    response = http.get("/v1/billing/usage", params={"month": MONTH} | query)
    assert response.status_code == status
    assert response.json()["error"]["param"] == param


def test_the_balance_is_what_the_books_say(http: TestClient, books: Any) -> None:
    books.grant(10**8)
    books.hold("r1", 150)
    balance = http.get("/v1/billing/balance").json()
    assert balance["balance"] == "1.00"
    assert balance["held"] == "0.0000015"
    assert balance["available"] == "0.9999985"
    assert (balance["balance_units"], balance["held_units"]) == (10**8, 150)


def test_receipts_are_shown_to_their_organisation_only(
    http: TestClient, used: Any, member: Member
) -> None:
    receipt = http.get("/v1/billing/receipts/r2").json()
    assert receipt["total_units"] == used.receipt("r2").total == 9 * 10 + 2 * 5 + 3 * 40
    assert receipt["lines"][1] == {
        "kind": "cached_input", "quantity": 2, "unit_price": 5, "amount": 10,
    }  # fmt: skip
    answers = [http.get(f"/v1/billing/receipts/{name}") for name in ("foreign", "unknown")]
    assert [answer.status_code for answer in answers] == [404, 404]
    told = [answer.json()["error"]["message"].replace("foreign", "unknown") for answer in answers]
    assert told[0] == told[1]


def test_owners_of_the_platform_set_prices(http: TestClient, member: Member) -> None:
    new = {"*": dict.fromkeys(KINDS, 3)}
    assert http.get("/v1/billing/prices").json()["version"] == 1
    assert http.post("/v1/billing/prices", json={"prices": new}).json()["version"] == 2
    assert http.get("/v1/billing/prices").json()["prices"] == new
    wrong = http.post("/v1/billing/prices", json={"prices": {"*": {"input": 3}}})
    assert wrong.status_code == 400
    assert "cached_input" in wrong.json()["error"]["message"]
    assert http.post("/v1/billing/prices", json={"prices": {"*": {"gold": 3}}}).status_code == 400
    for other in (Member("org_b"), Member(scopes=frozenset({"usage"}))):
        member.organisation, member.scopes = other.organisation, other.scopes
        assert http.post("/v1/billing/prices", json={"prices": new}).status_code == 403
