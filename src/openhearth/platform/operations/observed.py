"""An engine whose tokens are counted as they pass."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from openhearth.inference.request import Delta, EngineBusy, ModelCard, Request
from openhearth.platform.operations.metrics import Metrics

if TYPE_CHECKING:
    from openhearth.data import Tokenizer
    from openhearth.inference import Engine, Stream


class Observed:
    """The engine as the routes use it, with every generation counted in `metrics`."""

    def __init__(self, engine: Engine, metrics: Metrics) -> None:
        self._engine = engine
        self._metrics = metrics

    def models(self) -> list[ModelCard]:
        """What is served."""
        return self._engine.models()

    def tokenizer(self, model: str) -> Tokenizer:
        """A model's tokenizer; raises `NotFound`."""
        return self._engine.tokenizer(model)

    def is_slow_to_submit(self, request: Request) -> bool:
        """Whether `submit` may take a second."""
        return self._engine.is_slow_to_submit(request)

    def submit(self, request: Request) -> ObservedStream:
        """Start on a request; raises what the engine raises."""
        try:
            stream = self._engine.submit(request)
        except EngineBusy:
            self._metrics.refused.labels("engine").inc()
            raise
        self._metrics.tokens.labels("in").inc(len(request.prompt))
        return ObservedStream(stream, self._metrics)

    def close(self) -> None:
        """End; what runs is cancelled."""
        self._engine.close()


class ObservedStream:
    """A stream that is read once."""

    def __init__(self, stream: Stream, metrics: Metrics) -> None:
        self._stream = stream
        self._metrics = metrics
        self._begun = time.perf_counter()

    @property
    def loading(self) -> float:
        """Seconds that it waited for its model to come into memory."""
        return self._stream.loading

    async def begun(self) -> None:
        """Until it is sure that it will be answered. Raises what the engine says instead."""
        await self._stream.begun()

    def cancel(self) -> None:
        """Stop; the engine drops it at its next step."""
        self._stream.cancel()

    async def __aiter__(self) -> AsyncIterator[Delta]:
        written, waiting = self._metrics.tokens.labels("out"), True
        self._metrics.waiting.inc()
        try:
            async for delta in self._stream:
                if waiting and (delta.tokens or delta.finish_reason):
                    waiting = False
                    self._metrics.waiting.dec()
                    self._metrics.first_token.observe(time.perf_counter() - self._begun)
                written.inc(len(delta.tokens))
                yield delta
        finally:
            if waiting:
                self._metrics.waiting.dec()
