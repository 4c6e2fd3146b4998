"""`POST /v1/embeddings`: texts or tokens in, vectors out, as numbers or as base64 of fp32."""

from __future__ import annotations

import base64
from typing import Annotated, Literal

import numpy as np
from fastapi import APIRouter, Response
from fastapi import Request as HttpRequest
from pydantic import BaseModel, ConfigDict, Field

from openhearth.platform.connection import while_connected
from openhearth.platform.embedding.encoders import normalised
from openhearth.platform.embedding.pool import Pool
from openhearth.platform.embedding.ports import Embedder, EmbeddingCard, card_of
from openhearth.platform.errors import bad_request
from openhearth.platform.metering import FREE, Meter, paid
from openhearth.platform.replies import COST

MOST_TEXTS = 2048
MOST_TOKENS = 300_000  # of a request
TokenId = Annotated[int, Field(ge=0, lt=2**31)]
Tokens = Annotated[list[TokenId], Field(min_length=1)]


class EmbeddingRequest(BaseModel):
    """The body of a request."""

    model_config = ConfigDict(
        strict=True,
        json_schema_extra={"examples": [{"model": "minilm-l6", "input": ["A fire.", "A hearth."]}]},
    )

    model: str = Field(max_length=256)
    input: (
        str
        | Tokens
        | Annotated[list[str], Field(min_length=1, max_length=MOST_TEXTS)]
        | Annotated[list[Tokens], Field(min_length=1, max_length=MOST_TEXTS)]
    )
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: int | None = Field(None, ge=1)

    @property
    def texts(self) -> list[str] | list[list[int]]:
        """The input, one or several, as several."""
        alone = isinstance(self.input, str) or isinstance(self.input[0], int)
        return [self.input] if alone else self.input  # type: ignore[return-value]


class Vector(BaseModel):
    """One text's. In base64 it is fp32, the lowest byte first."""

    object: Literal["embedding"] = "embedding"
    index: int
    embedding: list[float] | str


class EmbeddingUsage(BaseModel):
    """Tokens read, with those that frame a text."""

    prompt_tokens: int
    total_tokens: int


class EmbeddingReply(BaseModel):
    """All of them, in the order of the texts."""

    object: Literal["list"] = "list"
    data: list[Vector]
    model: str
    usage: EmbeddingUsage


def _tokens(embedder: Embedder, body: EmbeddingRequest, card: EmbeddingCard) -> list[list[int]]:
    texts = [
        embedder.tokens(card.name, text) if isinstance(text, str) else text for text in body.texts
    ]
    for at, text in enumerate(texts):
        if body.texts[at] == "":
            raise bad_request(f"Text {at} of input is empty: there is nothing to embed.", "input")
        if len(text) > card.context_length:
            raise bad_request(
                f"Text {at} of input has {len(text)} tokens, but {card.name} reads "
                f"{card.context_length}: cut it.",
                "input",
                "context_length_exceeded",
            )
    if sum(map(len, texts)) > MOST_TOKENS:
        raise bad_request(f"The input has more than {MOST_TOKENS} tokens: send less.", "input")
    return texts


def _cut(vectors: np.ndarray, card: EmbeddingCard, dimensions: int | None) -> np.ndarray:
    if dimensions is None or dimensions == card.width:
        return vectors
    if not card.shortest <= dimensions < card.width:
        allowed = f"{card.shortest} to {card.width}" if card.shortest < card.width else card.width
        message = f"dimensions is {dimensions}, but vectors of {card.name} have {allowed}."
        raise bad_request(message, "dimensions")
    return normalised(vectors[:, :dimensions])


def _prepare(embedder: Embedder, body: EmbeddingRequest) -> list[list[int]]:
    """The tokens of all texts; what is wrong is said before anything is computed."""
    card = card_of(embedder, body.model)
    _cut(np.empty((0, card.width)), card, body.dimensions)
    return _tokens(embedder, body, card)


def _embed(embedder: Embedder, body: EmbeddingRequest, tokens: list[list[int]]) -> np.ndarray:
    card = card_of(embedder, body.model)
    return _cut(embedder.embed(body.model, tokens), card, body.dimensions)


def _written(vector: np.ndarray, encoding: str | None) -> list[float] | str:
    if encoding == "base64":
        return base64.b64encode(vector.astype("<f4").tobytes()).decode("ascii")
    return vector.tolist()


def router(embedder: Embedder, pool: Pool, meter: Meter = FREE) -> APIRouter:
    """The route over this embedder, which works in this pool, charged for by this meter."""
    routes = APIRouter(tags=["embeddings"])

    @routes.post("/v1/embeddings")
    async def create_embedding(
        body: EmbeddingRequest, http: HttpRequest, response: Response
    ) -> EmbeddingReply:
        # In a thread: a few texts take milliseconds, many take seconds.
        texts = await pool.run(_prepare, embedder, body)
        tokens, tab = sum(map(len, texts)), meter.tab(http)
        async with paid(tab, body.model, {"embedding": tokens}):
            working = pool.run(_embed, embedder, body, texts)
            vectors = await while_connected(http.receive, working)
        response.headers[COST] = str(tab.cost)
        return EmbeddingReply(
            data=[
                Vector(index=at, embedding=_written(vector, body.encoding_format))
                for at, vector in enumerate(vectors)
            ],
            model=body.model,
            usage=EmbeddingUsage(prompt_tokens=tokens, total_tokens=tokens),
        )

    return routes
