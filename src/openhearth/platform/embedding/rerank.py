"""`POST /v1/rerank`: a question and documents in, the documents by how much they matter out."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
from fastapi import APIRouter, Response
from fastapi import Request as HttpRequest
from pydantic import BaseModel, ConfigDict, Field

from openhearth.platform.connection import while_connected
from openhearth.platform.embedding.pool import Pool
from openhearth.platform.embedding.ports import Ranking, Reranker
from openhearth.platform.errors import bad_request
from openhearth.platform.ids import new_id
from openhearth.platform.metering import FREE, Meter, paid
from openhearth.platform.replies import COST

MOST_DOCUMENTS = 1024
FRAME = 8  # tokens around a text, and more
Document = str | dict[str, Any]


class RerankRequest(BaseModel):
    """The body of a request. Of a document with fields, `rank_fields` say which count; else all."""

    model_config = ConfigDict(
        strict=True,
        json_schema_extra={
            "examples": [
                {"model": "minilm-l6", "query": "What burns?", "documents": ["Wood.", "Water."]}
            ]
        },
    )

    model: str = Field(max_length=256)
    query: str = Field(min_length=1)
    documents: Annotated[list[Document], Field(min_length=1, max_length=MOST_DOCUMENTS)]
    top_n: int | None = Field(None, ge=1)
    return_documents: bool | None = None
    rank_fields: list[str] | None = None

    def texts(self) -> list[str]:
        """The documents as they are ranked.

        Raises:
            ApiError: 400, one has none of the fields that count.
        """
        return [self._text(at, document) for at, document in enumerate(self.documents)]

    def _text(self, at: int, document: Document) -> str:
        if isinstance(document, str):
            return document
        counting = self.rank_fields or list(document)
        lines = [f"{name}: {document[name]}" for name in counting if name in document]
        if not lines:
            message = f"Document {at} has none of the rank_fields: name some that it has."
            raise bad_request(message, "rank_fields")
        return "\n".join(lines)


class RankedDocument(BaseModel):
    """A document, where it was asked for."""

    text: str | None = None


class RankedResult(BaseModel):
    """A document's place in the request, and its score."""

    index: int
    relevance_score: float
    document: RankedDocument


class RerankUsage(BaseModel):
    """Tokens read; none are written."""

    prompt_tokens: int
    completion_tokens: Literal[0] = 0
    total_tokens: int


class RerankReply(BaseModel):
    """The documents that matter most, those first."""

    object: Literal["rerank"] = "rerank"
    id: str
    model: str
    results: list[RankedResult]
    usage: RerankUsage


def _results(body: RerankRequest, texts: list[str], ranking: Ranking) -> list[RankedResult]:
    order = np.argsort(-ranking.scores, kind="stable")[: body.top_n]
    return [
        RankedResult(
            index=int(at),
            relevance_score=float(ranking.scores[at]),
            document=RankedDocument(text=texts[at] if body.return_documents else None),
        )
        for at in order
    ]


def _most(body: RerankRequest, texts: list[str]) -> int:
    """Tokens that are read at most: none has less than a byte."""
    return sum(len(text.encode(errors="replace")) + FRAME for text in (body.query, *texts))


def router(reranker: Reranker, pool: Pool, meter: Meter = FREE) -> APIRouter:
    """The route over this reranker, which works in this pool, charged for by this meter."""
    routes = APIRouter(tags=["rerank"])

    @routes.post("/v1/rerank")
    async def rerank(body: RerankRequest, http: HttpRequest, response: Response) -> RerankReply:
        texts = body.texts()
        most, tab = {"embedding": _most(body, texts)}, meter.tab(http)
        async with paid(tab, body.model, most) as used:
            working = pool.run(reranker.rank, body.model, body.query, texts)
            ranking = await while_connected(http.receive, working)
            used["embedding"] = ranking.tokens
        response.headers[COST] = str(tab.cost)
        usage = RerankUsage(prompt_tokens=ranking.tokens, total_tokens=ranking.tokens)
        results = _results(body, texts, ranking)
        return RerankReply(id=new_id("rerank"), model=body.model, results=results, usage=usage)

    return routes
