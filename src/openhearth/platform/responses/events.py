"""The events of a stream, each named after its `type` and numbered in the order of sending."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from pydantic import BaseModel

from openhearth.platform.logprobs import ChosenToken
from openhearth.platform.responses.reply import OutputItem, OutputText, ResponseReply
from openhearth.platform.sse import event


class Event(BaseModel):
    """Something happened."""

    type: str
    sequence_number: int


class ResponseEvent(Event):
    """To the response as a whole."""

    response: ResponseReply


class ItemEvent(Event):
    """An item began or ended."""

    output_index: int
    item: OutputItem


class WithinItem(Event):
    """Within an item."""

    item_id: str
    output_index: int


class PartEvent(WithinItem):
    """The text of an item began or ended."""

    content_index: int = 0
    part: OutputText


class TextDelta(WithinItem):
    """More text."""

    content_index: int = 0
    delta: str
    logprobs: list[ChosenToken]


class TextDone(WithinItem):
    """All of the text."""

    content_index: int = 0
    text: str
    logprobs: list[ChosenToken]


class ThoughtDelta(WithinItem):
    """More of a thought."""

    content_index: int = 0
    delta: str


class ThoughtDone(WithinItem):
    """All of a thought."""

    content_index: int = 0
    text: str


class ArgumentsDelta(WithinItem):
    """More of the arguments of a call."""

    delta: str


class ArgumentsDone(WithinItem):
    """All of the arguments."""

    name: str
    arguments: str


async def named(events: AsyncGenerator[Event]) -> AsyncGenerator[bytes]:
    """The events as they are sent. Nothing says that they are over but the last of them."""
    async with aclosing(events):
        async for one in events:
            yield f"event: {one.type}\n".encode() + event(one)
