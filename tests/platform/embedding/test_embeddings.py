"""Vectors and rankings by the unmodified official clients, and what is refused."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import numpy as np
import openai
import pytest
import together
from fastapi.testclient import TestClient

PATH = "/v1/embeddings"
RANK = "/v1/rerank"


@pytest.fixture
def client(platform: Any) -> Iterator[openai.OpenAI]:
    """A lenient one: strictly, it would check base64 before it reads it."""
    base = f"{platform.url}/v1"
    with openai.OpenAI(base_url=base, api_key=platform.key, max_retries=0) as opened:
        yield opened


@pytest.fixture
def tog(platform: Any) -> Iterator[together.Together]:
    with together.Together(base_url=platform.url, api_key=platform.key, max_retries=0) as opened:
        yield opened


def vector(letters: int, spaces: int, others: int) -> np.ndarray:
    """What the embedder makes of a text with so many of each, in a frame of two others."""
    counts = np.array([letters, spaces, others + 2], np.float32)
    return counts / np.linalg.norm(counts)


def test_openai_reads_base64_and_numbers_alike(client: openai.OpenAI) -> None:
    texts = ["Hi you", "!!"]
    packed = client.embeddings.create(model="vectors", input=texts)
    plain = client.embeddings.create(model="vectors", input=texts, encoding_format="float")
    for reply in (packed, plain):
        np.testing.assert_allclose(reply.data[0].embedding, vector(5, 1, 0), rtol=1e-6)
        np.testing.assert_allclose(reply.data[1].embedding, vector(0, 0, 2), rtol=1e-6)
        assert [one.index for one in reply.data] == [0, 1]
        assert reply.usage.prompt_tokens == reply.usage.total_tokens == 12


def test_base64_is_fp32_lowest_byte_first(whole: TestClient) -> None:
    body = {"model": "vectors", "input": "Hi", "encoding_format": "base64"}
    (one,) = whole.post(PATH, json=body).json()["data"]
    numbers = np.frombuffer(base64.b64decode(one["embedding"]), "<f4")
    np.testing.assert_array_equal(numbers, vector(2, 0, 0).astype(np.float32))


def test_together_reads_numbers(tog: together.Together) -> None:
    reply = tog.embeddings.create(model="vectors", input="Hi")
    np.testing.assert_allclose(reply.data[0].embedding, vector(2, 0, 0), rtol=1e-6)


def test_tokens_are_taken_as_they_are(whole: TestClient) -> None:
    for tokens in ([72, 105], [[72, 105]]):
        (one,) = whole.post(PATH, json={"model": "vectors", "input": tokens}).json()["data"]
        np.testing.assert_allclose(one["embedding"], [1, 0, 0])


def test_beginnings_of_vectors_have_length_one(client: openai.OpenAI) -> None:
    reply = client.embeddings.create(model="vectors", input="Hi you", dimensions=2)
    np.testing.assert_allclose(np.linalg.norm(reply.data[0].embedding), 1, rtol=1e-6)
    assert len(reply.data[0].embedding) == 2


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"input": ""}, "input"),
        ({"input": ["fine", ""]}, "input"),
        ({"input": []}, "input"),
        ({"input": [[]]}, "input"),
        ({"input": ["a", 1]}, "input"),
        ({"input": [-1]}, "input"),
        ({"input": [300]}, None),
        ({"input": "x" * 49}, "input"),
        ({"input": ["x"] * 2049}, "input"),
        ({"input": [[5] * 40] * 2000 + [[5] * 51]}, "input"),
        ({"dimensions": 0}, "dimensions"),
        ({"dimensions": 1}, "dimensions"),
        ({"dimensions": 4}, "dimensions"),
        ({"encoding_format": "hex"}, "encoding_format"),
        ({"model": None}, "model"),
    ],
)
def test_a_bad_field_is_named(change: dict, param: str | None, whole: TestClient) -> None:
    response = whole.post(PATH, json={"model": "vectors", "input": "Hi"} | change)
    assert response.status_code == 400, response.text
    assert response.json()["error"]["param"] == param


@pytest.mark.parametrize("path", [PATH, RANK])
@pytest.mark.parametrize("has", ["whole", "http"])  # of which the second has no embedder at all
def test_what_makes_no_vectors_is_a_404(
    path: str, has: str, request: pytest.FixtureRequest
) -> None:
    body = {"model": "tiny", "input": "Hi", "query": "Hi", "documents": ["Ho"]}
    response = request.getfixturevalue(has).post(path, json=body)
    assert response.status_code == 404
    assert response.json()["error"]["code"] == "model_not_found"


def test_together_ranks_documents(tog: together.Together) -> None:
    documents = ["!?!?!?", "letters and spaces", "letters"]
    reply = tog.rerank.create(
        model="vectors", query="some words", documents=documents, top_n=2, return_documents=True
    )
    assert [one.index for one in reply.results] == [1, 2]
    assert reply.results[0].document.text == documents[1]
    scores = [one.relevance_score for one in reply.results]
    assert 1 >= scores[0] > scores[1]
    assert reply.usage.total_tokens == sum(len(t) + 2 for t in ["some words", *documents])


def test_of_documents_with_fields_those_count_that_are_named(whole: TestClient) -> None:
    document = {"title": "!!", "text": "words"}
    body = {"model": "vectors", "query": "q", "documents": [document], "return_documents": True}
    (one,) = whole.post(RANK, json=body).json()["results"]
    assert one["document"]["text"] == "title: !!\ntext: words"
    (one,) = whole.post(RANK, json=body | {"rank_fields": ["text"]}).json()["results"]
    assert one["document"]["text"] == "text: words"
    (one,) = whole.post(RANK, json=body | {"return_documents": False}).json()["results"]
    assert one["document"] == {"text": None}
    refused = whole.post(RANK, json=body | {"rank_fields": ["author"]})
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "rank_fields")


def test_long_documents_are_ranked_by_their_beginnings(whole: TestClient) -> None:
    body = {"model": "vectors", "query": "q", "documents": ["x" * 500]}
    reply = whole.post(RANK, json=body).json()
    assert reply["usage"]["prompt_tokens"] == 3 + 50
