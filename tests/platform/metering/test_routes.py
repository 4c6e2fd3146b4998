"""What the routes charge: exactly what the answer says it used, before its end goes out."""

from __future__ import annotations

import json
from typing import Any

import pytest

from openhearth.inference.request import Usage
from openhearth.platform.ledger import Line

CHAT, TEXT = "/v1/chat/completions", "/v1/completions"
ASK = {"model": "tiny", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 30}
WRITE = {"model": "tiny", "prompt": "Once", "max_tokens": 30}
BOTH = pytest.mark.parametrize(("path", "body"), [(CHAT, ASK), (TEXT, WRITE)])
INPUT, CACHED, OUTPUT = 10, 5, 40  # units a token, by the default prices


def receipt_of(response: Any, books: Any) -> Any:
    return books.receipt(response.headers["x-request-id"])


def usage_of(response: Any) -> dict[str, Any]:
    """The usage that a stream ends with."""
    events = [line.removeprefix("data: ") for line in response.text.split("\n\n")[:-2]]
    return json.loads(events[-1])["usage"]


@BOTH
@pytest.mark.parametrize("n", [1, 3])
def test_a_whole_answer_costs_what_its_usage_says(
    path: str, body: Any, n: int, http: Any, books: Any
) -> None:
    books.grant(10**6)
    response = http.post(path, json=body | {"n": n})
    usage, receipt = response.json()["usage"], receipt_of(response, books)
    assert usage["completion_tokens"] == 30 * n
    assert usage["cost"] == usage["prompt_tokens"] * INPUT + 30 * n * OUTPUT == receipt.total
    assert response.headers["x-openhearth-cost"] == str(receipt.total)
    assert books.wallet == (10**6 - receipt.total, 0)
    assert (receipt.key, receipt.project, receipt.model) == ("key_a", "proj_a", "tiny")


@BOTH
@pytest.mark.parametrize("options", [{}, {"stream_options": {"include_usage": True}}])
def test_a_stream_costs_what_its_usage_says(
    path: str, body: Any, options: Any, http: Any, books: Any
) -> None:
    books.grant(10**6)
    response = http.post(path, json=body | options | {"stream": True, "n": 2})
    usage, receipt = usage_of(response), receipt_of(response, books)
    assert usage["cost"] == receipt.total == usage["prompt_tokens"] * INPUT + 60 * OUTPUT
    assert books.wallet == (10**6 - receipt.total, 0)


def test_several_prompts_are_all_paid_for(http: Any, books: Any) -> None:
    books.grant(10**6)
    response = http.post(TEXT, json=WRITE | {"prompt": ["Once", "Long ago"], "n": 2})
    assert receipt_of(response, books).lines == (
        Line("input", 12, INPUT),
        Line("output", 120, OUTPUT),
    )


def test_what_was_in_the_cache_costs_less(
    http: Any, books: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.platform.conftest import FakeStream

    monkeypatch.setattr(
        FakeStream, "_usage", lambda s: Usage(len(s.request.prompt), s.steps, cached_tokens=3)
    )
    books.grant(10**6)
    response = http.post(TEXT, json=WRITE)
    assert receipt_of(response, books).lines == (
        Line("input", 1, INPUT),
        Line("cached_input", 3, CACHED),
        Line("output", 30, OUTPUT),
    )


@BOTH
@pytest.mark.parametrize("stream", [True, False])
def test_who_cannot_pay_the_worst_case_is_refused_before_any_work(
    path: str, body: Any, stream: bool, http: Any, engine: Any, books: Any
) -> None:
    books.grant(30 * OUTPUT)
    response = http.post(path, json=body | {"stream": stream})
    assert response.status_code == 402
    assert response.json()["error"]["code"] == "insufficient_credits"
    assert "max_tokens" in response.json()["error"]["message"]
    assert engine.streams == []
    assert books.wallet == (30 * OUTPUT, 0)


def test_a_key_that_reached_its_cap_is_refused(http: Any, books: Any, meter: Any) -> None:
    from tests.platform.metering.conftest import Limits, Payer

    books.grant(10**6)
    meter.payer = Payer(limits=Limits(spending_cap=2000))
    assert http.post(TEXT, json=WRITE).status_code == 200
    response = http.post(TEXT, json=WRITE)
    assert response.status_code == 402
    assert response.json()["error"]["code"] == "spending_cap_reached"


@pytest.mark.parametrize(
    ("change", "status"),
    [({"model": "nowhere"}, 404), ({"prompt": "x" * 3000}, 400), ({"temperature": 9.0}, 400)],
)
def test_what_is_refused_costs_nothing(change: Any, status: int, http: Any, books: Any) -> None:
    books.grant(10**6)
    assert http.post(TEXT, json=WRITE | change).status_code == status
    assert books.wallet == (10**6, 0)


def test_a_full_queue_costs_nothing(http: Any, engine: Any, books: Any) -> None:
    books.grant(10**6)
    engine.room = 1
    assert http.post(CHAT, json=ASK | {"n": 2}).status_code == 503
    assert books.wallet == (10**6, 0)


def test_an_answer_that_failed_costs_nothing(http: Any, books: Any) -> None:
    books.grant(10**6)
    assert http.post(CHAT, json=ASK | {"model": "breaks"}).status_code == 500
    assert books.wallet == (10**6, 0)


def test_a_stream_that_failed_costs_what_was_delivered(http: Any, books: Any) -> None:
    books.grant(10**6)
    response = http.post(CHAT, json=ASK | {"model": "breaks", "stream": True})
    chunks = response.text.count('"content"')
    assert "disk failed" in response.text
    receipt = receipt_of(response, books)
    assert 0 < next(line.quantity for line in receipt.lines if line.kind == "output") <= chunks


def test_without_accounts_nothing_costs_anything(engine: Any, keys: Any) -> None:
    from fastapi.testclient import TestClient

    from openhearth.platform import create_app

    headers = {"authorization": f"Bearer {keys.create('test')}"}
    with TestClient(create_app(engine, keys), headers=headers) as free:
        response = free.post(CHAT, json=ASK)
    assert response.json()["usage"]["cost"] == 0
    assert response.headers["x-openhearth-cost"] == "0"
