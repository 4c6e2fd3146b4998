"""The generations of one HTTP request: submitted together, read as one stream, cancelled together.

A request with n choices, or several prompts, is that many engine requests; `index` says which one
a delta belongs to. A `Generation` is a context manager: leaving it cancels all that still runs, so
that the engine never works for nobody, and charges for what was delivered until then.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, suppress
from functools import partial
from typing import TYPE_CHECKING

from openhearth.inference.answer import Answer
from openhearth.inference.beside import beside
from openhearth.inference.request import Delta, EngineBusy, Request, Timings, Usage
from openhearth.platform.metering import NoTab, Tab

if TYPE_CHECKING:
    from openhearth.inference import Engine, Stream

BEGINNING = 15.0  # seconds; the clients and common proxies give up after 60 s of silence
Item = tuple[int, Delta]


async def begin(
    engine: Engine, requests: Sequence[Request], choices: int = 1, tab: Tab | None = None
) -> Generation:
    """Hold what the requests may cost, and submit them without blocking the event loop.

    Raises:
        ApiError: 402, the caller cannot pay for them.
        HearthError: as `Generation` does.
    """
    tab = tab or NoTab()
    await tab.hold(requests[0].model, _most(requests, choices))
    submit = partial(Generation, engine, requests, choices, tab)
    try:
        return await beside(submit) if any(map(engine.is_slow_to_submit, requests)) else submit()
    except BaseException:
        await tab.close()
        raise


def _most(requests: Sequence[Request], choices: int) -> dict[str, int]:
    """The tokens of each kind that the requests may come to."""
    answers = sum(request.sampling.max_tokens for request in requests)
    return {"input": _prompts(requests, choices), "output": answers}


def _prompts(requests: Sequence[Request], choices: int) -> int:
    return sum(len(request.prompt) for request in requests[::choices])


class Generation:
    """All choices of one HTTP request; `choices` of them share each prompt.

    Raises:
        EngineBusy: not all of them fit the queue; then none of them runs.
        ContextTooLong, UsageError, NotFound: as the engine says.
    """

    def __init__(
        self,
        engine: Engine,
        requests: Sequence[Request],
        choices: int = 1,
        tab: Tab | None = None,
    ) -> None:
        self._choices = choices
        self._tab = tab or NoTab()
        self._prompt_tokens = _prompts(requests, choices)
        self._usages: dict[int, Usage] = {}
        self._timings: list[Timings] = []
        self._streams: list[Stream] = []
        try:
            for request in requests:
                self._streams.append(engine.submit(request))
        except BaseException:
            self.cancel()
            raise

    async def __aenter__(self) -> Generation:
        return self

    async def __aexit__(self, *failure: object) -> None:
        self.cancel()
        await self._tab.close()

    def cancel(self) -> None:
        """Stop what still runs; the engine drops it at its next step."""
        for stream in self._streams:
            stream.cancel()

    async def begun(self) -> None:
        """Until all of them are sure to be answered, for which models may have to be loaded first;
        but no longer than a caller can be left without a word.

        Raises:
            HearthError: what is wrong with one of them.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(BEGINNING):
                for stream in self._streams:
                    await stream.begun()

    @property
    def loading(self) -> float:
        """Seconds that the last of them waited for its model, as far as that is over."""
        return max(stream.loading for stream in self._streams)

    @property
    def finished(self) -> bool:
        """Whether every choice has had its last delta."""
        return len(self._usages) == len(self._streams)

    @property
    def usage(self) -> Usage:
        """The tokens of all finished choices; a prompt shared by several is counted once."""
        firsts = [u for i, u in self._usages.items() if i % self._choices == 0]
        return Usage(
            sum(usage.prompt_tokens for usage in firsts),
            sum(usage.completion_tokens for usage in self._usages.values()),
            sum(usage.cached_tokens for usage in firsts),
        )

    @property
    def timings(self) -> Timings | None:
        """Those of the finished choice that took longest."""
        return max(self._timings, key=lambda timings: timings.total, default=None)

    @property
    def cost(self) -> int:
        """What was charged, in units, once all choices have finished."""
        return self._tab.cost

    async def deltas(self) -> AsyncGenerator[Item]:
        """Each choice's deltas as they come, with the choice's index.

        A delta counts as delivered when the next is asked for. The last comes when all is charged.

        Raises:
            EngineBusy: the engine closed before the end.
            HoldLost: nobody pays for more.
        """
        delivered = 0
        unsaid = [0] * len(self._streams)  # tokens whose text is still held back
        async with aclosing(self._items()) as items:
            async for index, delta in items:
                yield index, delta
                unsaid[index] += len(delta.tokens)
                if (delta.text or delta.finish_reason) and unsaid[index] and not self.finished:
                    delivered, unsaid[index] = delivered + unsaid[index], 0
                    self._tab.deliver({"input": self._prompt_tokens, "output": delivered})

    async def _items(self) -> AsyncGenerator[Item]:
        alone = len(self._streams) == 1
        items = _alone(self._streams[0]) if alone else _together(self._streams)
        async with aclosing(items):
            async for item in items:
                self._account(*item)
                if self.finished:
                    await self._tab.settle(_used(self.usage))
                yield item
                if self.finished:
                    return

    def _account(self, index: int, delta: Delta) -> None:
        if delta.finish_reason == "cancelled":
            raise EngineBusy("The server is stopping, so this answer ends early: send it again.")
        if delta.finish_reason is not None:
            self._usages[index] = delta.usage or Usage(0, 0)
            self._timings += [delta.timings] if delta.timings else []

    async def answers(self) -> list[Answer]:
        """Every choice, once all have finished."""
        answers = [Answer() for _ in self._streams]
        # None of it is delivered before all of it is there.
        async with aclosing(self._items()) as items:
            async for index, delta in items:
                answers[index].add(delta)
        return answers


def _used(usage: Usage) -> dict[str, int]:
    """The tokens of each kind; a prompt to which nothing was answered counts for nothing."""
    if not usage.completion_tokens:
        return {}
    return {
        "input": usage.prompt_tokens - usage.cached_tokens,
        "cached_input": usage.cached_tokens,
        "output": usage.completion_tokens,
    }


async def _alone(stream: Stream) -> AsyncGenerator[Item]:
    """The same as `_together`, without a task between the engine and the caller."""
    async for delta in stream:
        yield 0, delta


async def _together(streams: Sequence[Stream]) -> AsyncGenerator[Item]:
    arrived: asyncio.Queue[Item | Exception] = asyncio.Queue()
    readers = [asyncio.create_task(_read(i, stream, arrived)) for i, stream in enumerate(streams)]
    try:
        while True:
            item = await arrived.get()
            if isinstance(item, Exception):
                raise item
            yield item
    finally:
        for reader in readers:
            reader.cancel()
        await asyncio.gather(*readers, return_exceptions=True)


async def _read(index: int, stream: Stream, arrived: asyncio.Queue[Item | Exception]) -> None:
    try:
        async for delta in stream:
            arrived.put_nowait((index, delta))
    except Exception as error:  # handed to the reader of all streams, which raises it
        arrived.put_nowait(error)
