"""A model that another server computes: a request goes out, the deltas of its answer come back."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing

import httpx
import numpy as np

from openhearth.data.tokenizer import Tokenizer
from openhearth.errors import HearthError, UsageError
from openhearth.inference.remote.dialect import DIALECTS, PLAIN
from openhearth.inference.remote.peer import BEHIND, Listed, Peer, Unreachable
from openhearth.inference.remote.reply import DONE, Reader
from openhearth.inference.request import Delta, Usage
from openhearth.inference.sequence import Sequence

PAUSES = (0.1, 0.3, 1.0)  # seconds before connecting again
FRAME = 2**20  # bytes of a stream that are not tokens
TOKEN = 2**13  # bytes of a token with its alternatives


class RemoteLane:
    """Answers sequences of one model of a peer, whose tokens are those of `tokenizer`.

    `answer` is for the relay's thread, all else for any.
    """

    def __init__(self, peer: Peer, model: Listed, tokenizer: Tokenizer) -> None:
        self.vocab_size = tokenizer.largest_id + 1
        self._peer = peer
        self._name = model.id
        self._dialect = DIALECTS.get(model.owned_by, PLAIN)
        self._tokenizer = tokenizer
        self._reader = Reader(tokenizer)

    def check_room(self, tokens: int) -> None:
        """Nothing: what does not fit its memory, the peer refuses by itself."""

    def prepare(self, sequence: Sequence) -> None:
        """Make sure that the request can be put in the peer's words.

        Raises:
            UsageError: it cannot.
        """
        self._dialect.body(self._name, sequence.request)

    def logits(self, ids: list[int], adapter: str | None) -> np.ndarray:
        """Raise `UsageError`: a server tells none."""
        raise UsageError("This model is computed elsewhere, and logits stay there: run it here.")

    async def answer(self, client: httpx.AsyncClient, sequence: Sequence) -> Usage:
        """Put the answer into the sequence's stream, and tell what it cost.

        Raises:
            HearthError: as `Peer.complete`; a connection that fails is tried again before that.
        """
        for pause in PAUSES:
            try:
                return await self._answer(client, sequence)
            except Unreachable:
                await asyncio.sleep(pause)
        return await self._answer(client, sequence)

    async def _answer(self, client: httpx.AsyncClient, sequence: Sequence) -> Usage:
        sampling = sequence.request.sampling
        body = self._dialect.body(self._name, sequence.request)
        limit = FRAME + TOKEN * sampling.max_tokens
        reason, told = None, None
        async with aclosing(self._peer.complete(client, body, limit)) as events:
            async for event in events:
                if event == DONE:
                    continue  # to the end of the response, so that the connection can be kept
                delta = self._reader.read(event, sampling.logprobs)
                reason, told = delta.finish_reason or reason, delta.usage or told
                if delta.text or delta.tokens or delta.logprobs:
                    counted = delta.tokens or self._tokenizer.encode(delta.text, add_bos=False)
                    sequence.answer += counted
                    sequence.answered = sequence.answered or time.monotonic()
                    sequence.stream.put(Delta(delta.text, delta.tokens, delta.logprobs))
        if reason is None:
            raise HearthError(f"{BEHIND} stopped in the middle of the answer: send it again.")
        usage = _usage(sequence, told)
        timings = sequence.timings()
        sequence.stream.put(Delta(finish_reason=reason, usage=usage, timings=timings))
        return usage


def _usage(sequence: Sequence, told: Usage | None) -> Usage:
    """What is known here, and the peer's word for the rest as far as it can be true."""
    if told is None:
        return sequence.usage()
    prompt, most = len(sequence.request.prompt), sequence.request.sampling.max_tokens
    return Usage(prompt, min(told.completion_tokens, most), min(told.cached_tokens, prompt))
