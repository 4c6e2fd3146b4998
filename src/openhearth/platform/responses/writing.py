"""One answer as its parts come: the items of the response, and the events that tell of them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from itertools import count
from typing import Any, TypeVar

from openhearth.inference.request import TokenLogprob, Usage
from openhearth.platform.ids import new_id
from openhearth.platform.logprobs import ChosenToken, token_objects
from openhearth.platform.reading import Step
from openhearth.platform.responses.events import (
    ArgumentsDelta,
    ArgumentsDone,
    Event,
    ItemEvent,
    PartEvent,
    ResponseEvent,
    TextDelta,
    TextDone,
    ThoughtDelta,
    ThoughtDone,
    WithinItem,
)
from openhearth.platform.responses.reply import (
    Failure,
    Incomplete,
    OutputCall,
    OutputItem,
    OutputMessage,
    OutputReasoning,
    OutputText,
    ResponseReply,
    ResponseUsage,
    Status,
    Thought,
)
from openhearth.platform.tools import CallBegun

E = TypeVar("E", bound=WithinItem)


def _logprobs(tokens: Sequence[TokenLogprob]) -> list[ChosenToken]:
    """The API has no null for bytes that are not known."""
    told = token_objects(tokens).content
    for token in told:
        for one in (token, *token.top_logprobs):
            one.bytes = one.bytes or []
    return told


class Writing:
    """Writes into `reply`, item after item. Blank text before a call is no item."""

    def __init__(self, reply: ResponseReply) -> None:
        self.reply = reply
        self._numbers = count()
        self._open: OutputItem | None = None
        self._blank = ""
        self._blank_logprobs: list[ChosenToken] = []

    def begin(self) -> Iterator[Event]:
        """Before anything was said."""
        yield self._whole("response.created")
        yield self._whole("response.in_progress")

    def add(self, step: Step) -> Iterator[Event]:
        """A step: a thought, text, and then calls or parts of them."""
        if step.thought:
            yield from self._think(step.thought)
        yield from self._say(step.said.text, _logprobs(step.said.logprobs))
        for call in step.calls:
            if isinstance(call, CallBegun):
                yield from self._begin_call(call)
            elif isinstance(self._open, OutputCall):
                self._open.arguments += call.function.arguments
                delta = call.function.arguments
                yield self._within(ArgumentsDelta, "function_call_arguments.delta", delta=delta)

    def end(self, reason: str | None, usage: Usage) -> Iterator[Event]:
        """All has been said."""
        if all(isinstance(item, OutputReasoning) for item in self.reply.output):
            yield from self._write(self._blank, self._blank_logprobs)
        cut = reason == "length"
        yield from self._close("incomplete" if cut else "completed")
        self.reply.status = "incomplete" if cut else "completed"
        self.reply.incomplete_details = Incomplete() if cut else None
        self.reply.usage = ResponseUsage.of(usage)
        self.reply.completed_at = None if cut else int(time.time())

    def fail(self, message: str) -> None:
        """Nothing more will be said."""
        self.reply.status, self.reply.error = "failed", Failure(message=message)

    def last(self) -> Event:
        """The event after which nothing comes."""
        return self._whole(f"response.{self.reply.status}")

    def _think(self, thought: str) -> Iterator[Event]:
        if not isinstance(self._open, OutputReasoning):
            yield from self._begin(OutputReasoning(id=new_id("rs")))
        assert isinstance(self._open, OutputReasoning)
        (part,) = self._open.content = self._open.content or [Thought()]
        part.text += thought
        yield self._within(ThoughtDelta, "reasoning_text.delta", delta=thought)

    def _say(self, text: str, logprobs: list[ChosenToken]) -> Iterator[Event]:
        if not isinstance(self._open, OutputMessage):
            self._blank += text
            self._blank_logprobs += logprobs
            if not self._blank.strip():
                return
            text, logprobs = self._blank, self._blank_logprobs
        if text or logprobs:
            yield from self._write(text, logprobs)

    def _write(self, text: str, logprobs: list[ChosenToken]) -> Iterator[Event]:
        if not isinstance(self._open, OutputMessage):
            yield from self._begin(OutputMessage(id=new_id("msg")))
            yield self._part("added", OutputText())
        assert isinstance(self._open, OutputMessage)
        (part,) = self._open.content = self._open.content or [OutputText()]
        part.text += text
        part.logprobs += logprobs
        yield self._within(TextDelta, "output_text.delta", delta=text, logprobs=logprobs)

    def _begin_call(self, call: CallBegun) -> Iterator[Event]:
        name = call.function.name
        yield from self._begin(OutputCall(id=new_id("fc"), call_id=call.id, name=name))

    def _begin(self, item: OutputItem) -> Iterator[Event]:
        yield from self._close("completed")
        self._open, self._blank, self._blank_logprobs = item, "", []
        self.reply.output.append(item)
        yield self._item("added")

    def _close(self, status: Status) -> Iterator[Event]:
        item = self._open
        if item is None:
            return
        item.status = status
        if isinstance(item, OutputMessage):
            (part,) = item.content
            said = {"text": part.text, "logprobs": part.logprobs}
            yield self._within(TextDone, "output_text.done", **said)
            yield self._part("done", part)
        elif isinstance(item, OutputReasoning):
            yield self._within(ThoughtDone, "reasoning_text.done", text=item.content[0].text)
        else:
            called = {"name": item.name, "arguments": item.arguments}
            yield self._within(ArgumentsDone, "function_call_arguments.done", **called)
        yield self._item("done")
        self._open = None

    def _whole(self, kind: str) -> ResponseEvent:
        return ResponseEvent(type=kind, sequence_number=next(self._numbers), response=self.reply)

    def _item(self, what: str) -> ItemEvent:
        assert self._open
        return ItemEvent(
            type=f"response.output_item.{what}",
            sequence_number=next(self._numbers),
            output_index=len(self.reply.output) - 1,
            item=self._open,
        )

    def _part(self, what: str, part: OutputText) -> PartEvent:
        return self._within(PartEvent, f"content_part.{what}", part=part)

    def _within(self, event: type[E], kind: str, **fields: Any) -> E:
        assert self._open
        return event(
            type=f"response.{kind}",
            sequence_number=next(self._numbers),
            item_id=self._open.id,
            output_index=len(self.reply.output) - 1,
            **fields,
        )
