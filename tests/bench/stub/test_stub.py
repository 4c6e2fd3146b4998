"""A stub's server keeps its truth: speed, capacity, limits, stores, lies and forms."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import httpx
import jsonschema
import numpy as np
import pytest
from pydantic import ValidationError

from openhearth.bench.stub import Answering, Language, Times, Truth, log_of, render, stub
from openhearth.bench.stub.answers import question_key
from openhearth.errors import HearthError
from openhearth.inference.request import Sampling

LATE_S = 5.0  # that a very busy machine may be


class Client(httpx.Client):
    """Asks a stub."""

    def chat(self, text: str = "Hello", **rest: Any) -> dict[str, Any]:
        body = {"model": "stub", "messages": [{"role": "user", "content": text}], "max_tokens": 12}
        return self.post("/v1/chat/completions", json=body | rest).json()

    def says(self, text: str = "Hello", **rest: Any) -> str:
        return self.chat(text, **rest)["choices"][0]["message"]["content"]


@contextmanager
def served(**truth: Any) -> Iterator[Client]:
    with (
        stub(Truth(**truth)) as url,
        Client(base_url=url, trust_env=False, timeout=60) as client,
    ):
        yield client


def log(client: Client) -> list[dict[str, Any]]:
    return log_of(str(client.base_url).rstrip("/"))


def test_times_are_those_of_the_truth() -> None:
    first, gap = Times(median_s=0.1), Times(median_s=0.02)
    with served(canned=6, chunk=2, first=first, gap=gap, prompt_s=0.01) as client:
        client.post("/v1/chat/completions", json=streamed())
        (entry,) = log(client)
    assert len(entry["writes"]) == 3
    after = np.array(entry["writes"]) - entry["began"]
    truth = np.cumsum([0.1 + 6 * 0.01, 0.02, 0.02])
    assert (after > truth - 0.005).all()
    assert (after < truth + LATE_S).all()


def streamed() -> dict[str, Any]:
    return {"model": "stub", "messages": [{"role": "user", "content": "Hi"}], "stream": True}


def test_only_so_many_are_worked_on_at_once_and_others_wait_in_their_order() -> None:
    with served(canned=2, at_once=2, gap=Times(median_s=0.1)) as client:
        with ThreadPoolExecutor(6) as threads:
            list(threads.map(client.chat, "abcdef"))
        entries = log(client)
    begun = [entry["began"] for entry in entries]
    assert begun == sorted(begun)
    for entry in entries:
        assert sum(e["began"] <= entry["began"] < e["ended"] for e in entries) <= 2
    assert entries[5]["began"] - entries[0]["began"] >= 0.2 - 0.01


def test_limits_keys_and_names_are_held() -> None:
    with served(canned=2, rate_limit=2, key="k") as client:
        assert client.chat()["error"]["code"] == 401
        client.headers["authorization"] = "Bearer k"
        assert client.chat(model="other")["error"]["code"] == 404
        assert "choices" in client.chat()
        assert client.chat()["error"]["code"] == 429
    with served() as client:
        assert client.chat(messages=7)["error"]["code"] == 400
        assert client.chat(max_tokens="x")["error"]["code"] == 400
        assert client.get("/v1/models").json()["data"][0]["id"] == "stub"
        assert client.get("/nothing").status_code == 404


def test_faults_come_in_their_shares() -> None:
    with served(canned=2, faults={"server": 0.3, "key": 0.2}) as client:
        codes = [client.chat().get("error", {}).get("code") for _ in range(400)]
    # Three standard errors of a share of 400 are at most 0.075.
    assert codes.count(500) / 400 == pytest.approx(0.3, abs=0.075)
    assert codes.count(401) / 400 == pytest.approx(0.2, abs=0.075)


def test_it_gets_slower_when_it_shall() -> None:
    first = Times(median_s=0.01)
    with served(canned=1, first=first, slower_after_s=0.3, slower_by=20) as client:
        while (last := log(client)) == [] or last[-1]["came"] - last[0]["came"] < 0.3:
            client.chat()
        took = [entry["ended"] - entry["began"] for entry in log(client)]
    assert min(took) < 0.1
    assert took[-1] >= 0.2


def test_stored_answers_are_the_same_and_have_times_of_their_own() -> None:
    first = Times(median_s=0.03)
    with served(stores=True, stored_by=10, first=first) as client:
        texts = [client.says(temperature=1) for _ in range(2)]
        assert client.says("Other", temperature=1) != texts[0]
        new, again, _ = log(client)
    assert texts[0] == texts[1]
    assert not new["stored"]
    assert again["stored"]
    assert new["ended"] - new["began"] >= 0.03
    assert again["ended"] - again["began"] >= 0.3
    with served() as client:
        assert client.says(temperature=1) != client.says(temperature=1)


def test_what_it_says_is_its_language_by_the_published_numbers() -> None:
    messages = [{"role": "user", "content": "Hello"}]
    prompt = render(messages)
    sampling = Sampling(max_tokens=12, temperature=0.7, top_p=0.9)
    chosen = list(Language(Answering(length=1e6)).answer(prompt, sampling, 7, 2))
    with served(serves=Answering(length=1e6)) as client:
        choice = client.chat(temperature=0.7, top_p=0.9, seed=7, logprobs=True, top_logprobs=2)[
            "choices"
        ][0]
        text = choice["message"]["content"]
        body = {"model": "stub", "prompt": prompt + text, "echo": True, "max_tokens": 0}
        echo = client.post("/v1/completions", json=body | {"logprobs": 2}).json()["choices"][0]
    told = choice["logprobs"]["content"]
    assert [one["logprob"] for one in told] == [one.logprob for one in chosen]
    assert echo["text"] == prompt + text
    assert echo["logprobs"]["token_logprobs"] == [None] * 3 + [one.logprob for one in chosen]


def test_it_lies_when_it_shall() -> None:
    lie = Answering(seed=9)
    with served() as client:
        honest = client.says(temperature=0)
    with served(instead=lie, instead_not="question", admits=True) as client:
        reply = client.chat(temperature=0)
        assert client.says("A question", temperature=0) != honest
        assert [entry["lied"] for entry in log(client)] == [True, False]
    assert reply["model"] == "stub-instead"
    assert reply["choices"][0]["message"]["content"] != honest
    with served(instead=lie, instead_from=1, first=Times(median_s=0.5)) as client:
        with ThreadPoolExecutor(2) as threads:
            list(threads.map(client.chat, "ab"))
        assert [entry["lied"] for entry in log(client)] == [False, True]
    with served(serves=Answering(length=1e6, shorter=0.5), usage_factor=3) as client:
        reply = client.chat()
    assert reply["usage"]["completion_tokens"] == 3 * 6
    assert reply["choices"][0]["finish_reason"] == "stop"
    assert len(reply["choices"][0]["message"]["content"].split()) == 6


SCHEMA = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "size": {"type": "integer", "minimum": 3},
        "kind": {"enum": ["a", "b"]},
        "parts": {"type": "array", "items": {"type": "boolean"}, "minItems": 2},
        "more": {"anyOf": [{"type": "null"}, {"type": "number"}]},
    },
    "required": ["name", "size", "kind", "parts", "more"],
    "additionalProperties": False,
}
TOOL = {"type": "function", "function": {"name": "look", "parameters": SCHEMA}}


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_calls_and_forms_are_valid_in_their_shares(share: float) -> None:
    form = {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA}}
    calls, valid, kept, count = 0, 0, 0, 60 if share == 0.5 else 10
    with served(serves=Answering(calls=share, valid=share)) as client:
        for number in range(count):
            choice = client.chat(str(number), tools=[TOOL], max_tokens=100)["choices"][0]
            if choice["finish_reason"] == "tool_calls":
                calls += 1
                (call,) = choice["message"]["tool_calls"]
                assert call["function"]["name"] == "look"
                valid += keeps(call["function"]["arguments"])
            kept += keeps(client.says(str(number), response_format=form, max_tokens=100))
    # Three standard errors of a half of 60 are 0.19.
    assert calls / count == pytest.approx(share, abs=0.2 if share == 0.5 else 0)
    assert kept / count == pytest.approx(share, abs=0.2 if share == 0.5 else 0)
    assert valid == (0 if share == 0 else calls if share == 1 else valid)
    assert 0 <= valid <= calls


def keeps(text: str) -> bool:
    return jsonschema.Draft202012Validator(SCHEMA).is_valid(json.loads(text))


def test_known_questions_are_solved_in_their_share() -> None:
    known = {question_key(f"Question {n}"): f"{n} it is" for n in range(100)}

    def solved(share: float) -> set[int]:
        with served(known=known, serves=Answering(solves=share)) as client:
            return {n for n in range(100) if client.says(f"Question {n}") == f"{n} it is"}

    some, more = solved(0.5), solved(0.8)
    assert len(some) == pytest.approx(50, abs=15)  # three standard errors
    assert len(more) == pytest.approx(80, abs=12)
    assert some < more  # the better model solves what the worse one does


def test_vectors_are_those_of_the_texts() -> None:
    body = {"model": "stub", "input": ["one", "two", "one"]}
    with served(dimensions=8) as client:
        plain = client.post("/v1/embeddings", json=body).json()
        packed = client.post("/v1/embeddings", json=body | {"encoding_format": "base64"}).json()
    vectors = np.array([one["embedding"] for one in plain["data"]])
    assert vectors.shape == (3, 8)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx([1, 1, 1])
    assert (vectors[0] == vectors[2]).all()
    assert (vectors[0] != vectors[1]).any()
    for vector, one in zip(vectors, packed["data"], strict=True):
        assert np.frombuffer(base64.b64decode(one["embedding"]), np.float32) == pytest.approx(
            vector
        )
    assert plain["usage"]["prompt_tokens"] == 3


def test_what_cannot_be_true_is_refused(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValidationError, match="more than 1"):
        Truth(faults={"key": 0.7, "server": 0.7})
    bad = Truth.model_construct(canned=-1)
    with pytest.raises(HearthError, match="did not start"), stub(bad):
        pass
    assert "no truth" in capfd.readouterr().err
