"""The routes of OpenAI's Responses API."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from fastapi import Request as HttpRequest
from pydantic import BaseModel

from openhearth.errors import HearthError
from openhearth.platform.chat import Asked, start
from openhearth.platform.connection import while_connected
from openhearth.platform.database import Database
from openhearth.platform.errors import ApiError, bad_request, from_hearth, server_failed
from openhearth.platform.generation import Generation
from openhearth.platform.metering import FREE, Meter
from openhearth.platform.openapi import answers
from openhearth.platform.replies import first_headers, headers_of
from openhearth.platform.responses.asked import (
    ResponsesRequest,
    prepare_response,
    put_in_these_words,
)
from openhearth.platform.responses.events import Event, named
from openhearth.platform.responses.kept import KeptResponses
from openhearth.platform.responses.reply import ResponseReply
from openhearth.platform.responses.writing import Writing
from openhearth.platform.sse import EventStream
from openhearth.platform.tenant import tenant_of

if TYPE_CHECKING:
    from openhearth.inference import Engine

log = logging.getLogger(__name__)


class Deleted(BaseModel):
    """What is gone."""

    id: str
    object: Literal["response"] = "response"
    deleted: Literal[True] = True


class ItemList(BaseModel):
    """A page of items."""

    object: Literal["list"] = "list"
    data: list[dict[str, Any]]
    first_id: str | None
    last_id: str | None
    has_more: bool


async def _answer(asked: Asked, generation: Generation, writing: Writing) -> AsyncGenerator[Event]:
    """All events but the last."""
    for event in writing.begin():
        yield event
    reader, reason = asked.reader(), None
    async with aclosing(generation.deltas()) as deltas:
        async for _, delta in deltas:
            step = reader.read(delta)
            reason = step.said.finish_reason
            for event in writing.add(step):
                yield event
    for event in writing.end(reason, generation.usage):
        yield event


async def _streamed(
    events: AsyncGenerator[Event], writing: Writing, keep: Callable[[], Awaitable[None]]
) -> AsyncGenerator[Event]:
    """The events, and the last of them once the response is kept; a failure is told as one."""
    try:
        async with aclosing(events):
            async for event in events:
                yield event
        await keep()
    except HearthError as error:
        writing.fail(from_hearth(error).reply.error.message)
    except Exception:
        log.exception("a response failed")
        writing.fail(server_failed("in the middle of this response").reply.error.message)
    yield writing.last()


def page_of(items: list[dict[str, Any]], after: str | None, limit: int) -> ItemList:
    """The page behind the item `after`.

    Raises:
        ApiError: 400, there is no such item.
    """
    names = [item["id"] for item in items]
    if after is not None and after not in names:
        raise bad_request(f"There is no item {after!r} to go on from.", "after")
    begin = 0 if after is None else names.index(after) + 1
    page = items[begin : begin + limit]
    return ItemList(
        data=page,
        first_id=page[0]["id"] if page else None,
        last_id=page[-1]["id"] if page else None,
        has_more=begin + limit < len(items),
    )


def router(engine: Engine, database: Database, meter: Meter = FREE) -> APIRouter:
    """The routes over this engine, charged for by this meter; what is to be stored goes into the
    database.
    """
    routes = APIRouter(tags=["responses"])
    kept = KeptResponses(database)

    @routes.post("/v1/responses", response_model=None, responses=answers(ResponseReply, Event))
    async def create_response(
        body: ResponsesRequest, http: HttpRequest, response: Response
    ) -> ResponseReply | EventStream:
        project = tenant_of(http)
        before = await kept.conversation(project, body.previous_response_id)
        asked = await asyncio.to_thread(prepare_response, engine, body, before, project)
        try:
            generation = await start(engine, asked, meter.tab(http))
        except ApiError as error:
            put_in_these_words(error)
            raise
        writing = Writing(ResponseReply.begun(body))
        events = _answer(asked, generation, writing)

        async def keep() -> None:
            if writing.reply.store:
                await kept.keep(project, body.items, writing.reply)

        if body.stream:
            told = partial(first_headers, generation)
            return EventStream(_streamed(events, writing, keep), generation, named, told)
        async with generation:
            await while_connected(http.receive, _all(events))
        response.headers.update(headers_of(generation))
        await keep()
        return writing.reply

    @routes.get("/v1/responses/{response_id}")
    async def retrieve_response(
        response_id: str, http: HttpRequest, stream: bool = False
    ) -> ResponseReply:
        found = await kept.get(tenant_of(http), response_id)
        if stream:
            raise bad_request("Only background responses can be followed again.", "stream")
        return ResponseReply.model_validate(found)

    @routes.delete("/v1/responses/{response_id}")
    async def delete_response(response_id: str, http: HttpRequest) -> Deleted:
        await kept.delete(tenant_of(http), response_id)
        return Deleted(id=response_id)

    @routes.post("/v1/responses/{response_id}/cancel")
    async def cancel_response(response_id: str, http: HttpRequest) -> ResponseReply:
        await kept.get(tenant_of(http), response_id)
        raise bad_request(
            "Only background responses can be cancelled: to end another, close its connection.",
            "response_id",
        )

    @routes.get("/v1/responses/{response_id}/input_items")
    async def list_input_items(
        response_id: str,
        http: HttpRequest,
        after: str | None = None,
        limit: Annotated[int, Query(ge=1, le=100)] = 20,
        order: Literal["asc", "desc"] = "desc",
    ) -> ItemList:
        items = await kept.input_items(tenant_of(http), response_id)
        return page_of(items if order == "asc" else items[::-1], after, limit)

    return routes


async def _all(events: AsyncGenerator[Event]) -> None:
    async for _ in events:
        pass
