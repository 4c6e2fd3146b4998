"""Clients of all manners, who hold every answer against the first to the same question."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Iterator

from openhearth.errors import HearthError
from openhearth.inference import Answer, DeadlinePassed, Engine, EngineBusy, Request, Stream
from tests.system.soak import over_http
from tests.system.soak.questions import question
from tests.system.soak.record import WHOLE, Key, Record

DEADLINES = (*9 * (None,), 0.0, 0.5)  # seconds
FLOOD = 300  # requests at once, more than the queue takes


class Clients:
    """They ask the first `pool` questions of `seed`, of an engine and of its server.

    Methods may be called from many threads.
    """

    def __init__(self, engine: Engine, server: tuple[int, str], *, pool: int, seed: int) -> None:
        self.record = Record()
        self._engine, self._server = engine, server
        self._pool, self._seed = pool, seed
        self._manners = {
            self.read: 50,
            self.leave: 15,
            self.vanish: 8,
            self.together: 4,
            self.from_a_loop: 6,
            self.from_afar: 12,
            self.flood: 0.1,
        }

    def come(self, number: int) -> None:
        """Ask something, in the manner of client `number`."""
        chance = random.Random(f"{self._seed}#{number}")
        (manner,) = chance.choices(list(self._manners), list(self._manners.values()))
        manner(chance)

    def read(self, chance: random.Random) -> None:
        """One answer to its end."""
        key = self._draw(chance)
        self._follow(key, self._submit(key, chance))

    def leave(self, chance: random.Random) -> None:
        """Cancel in the middle; what has come must be right."""
        key = self._draw(chance)
        self._follow(key, self._submit(key, chance), leave=chance.randrange(12))

    def vanish(self, chance: random.Random) -> None:
        """Never read a word, and perhaps say so."""
        self._drop(self._submit(self._draw(chance), chance), cancel=chance.random() < 0.5)

    def together(self, chance: random.Random) -> None:
        """Several at once, read one after another."""
        keys = [self._draw(chance) for _ in range(chance.randrange(2, 20))]
        for key, stream in [(key, self._submit(key, chance)) for key in keys]:
            self._follow(key, stream)

    def from_a_loop(self, chance: random.Random) -> None:
        """Several from one event loop, which may end before they do."""
        keys = [self._draw(chance) for _ in range(4)]
        asked = [(key, stream) for key in keys if (stream := self._submit(key, chance))]
        hurry = chance.choice([None, None, 0.02])  # seconds

        async def follow(key: Key, stream: Stream) -> None:
            answer = Answer()
            try:
                with self._may_fail(key):
                    async for delta in stream:
                        answer.add(delta)
            except asyncio.CancelledError:
                self._drop(stream, cancel=True)
                raise
            self._judge(key, answer)

        async def everything() -> None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(hurry):
                    await asyncio.gather(*(follow(*one) for one in asked))

        asyncio.run(everything())

    def from_afar(self, chance: random.Random) -> None:
        """Over HTTP, where some hang up."""
        number, _ = self._draw(chance)
        asked = question(number, self._seed)
        if asked.sampling.constraint is None:
            end, texts = over_http.ask(*self._server, asked, chance)
            for choice, text in enumerate(texts if asked.repeatable else []):
                self.record.check_text((number, choice), text)
            self.record.count(end)

    def flood(self, chance: random.Random) -> None:
        """More at once than the queue takes, and nobody who waits for it."""
        for stream in [self._submit(self._draw(chance), chance) for _ in range(FLOOD)]:
            self._drop(stream, cancel=True)

    def ask_alone(self, key: Key) -> None:
        """A question that was answered before; the caller knows that nobody else is there."""
        number, choice = key
        asked = question(number, self._seed).choice(choice)
        stream = self._engine.submit(Request(asked.model, asked.prompt, asked.sampling))
        self._follow(key, stream)

    def _draw(self, chance: random.Random) -> Key:
        return chance.randrange(self._pool), chance.choice([0, 0, 1])

    def _submit(self, key: Key, chance: random.Random) -> Stream | None:
        asked = question(key[0], self._seed).choice(key[1])
        request = Request(
            asked.model,
            asked.prompt,
            asked.sampling,
            priority=chance.randrange(3),
            tenant=chance.choice("abcd"),
            deadline=chance.choice(DEADLINES),
        )
        with self._may_fail(key):
            return self._engine.submit(request)
        return None

    def _follow(self, key: Key, stream: Stream | None, leave: int | None = None) -> None:
        if stream is None:
            return
        answer = Answer()
        with self._may_fail(key):
            for count, delta in enumerate(stream):
                assert answer.finish_reason is None, "a stream went on after its end"
                answer.add(delta)
                if count == leave:
                    stream.cancel()
            assert next(stream, None) is None
            assert leave is not None or answer.finish_reason in WHOLE
            self._judge(key, answer)

    def _judge(self, key: Key, answer: Answer) -> None:
        """Nothing to be said of one that failed."""
        if answer.finish_reason is None:
            return
        asked = question(key[0], self._seed)
        if answer.finish_reason in WHOLE:
            assert asked.error is None, key
        if asked.repeatable:
            self.record.check(key, answer)
        self.record.count(answer.finish_reason, len(answer.tokens))

    def _drop(self, stream: Stream | None, *, cancel: bool) -> None:
        if stream is not None:
            if cancel:
                stream.cancel()
            self.record.count("vanished")

    @contextlib.contextmanager
    def _may_fail(self, key: Key) -> Iterator[None]:
        """What is expected to fail must fail so; everything may come too late."""
        try:
            yield
        except DeadlinePassed:
            self.record.count("late")
        except EngineBusy:
            self.record.count("busy")
        except HearthError as error:
            if type(error) is not question(key[0], self._seed).error:
                raise
            self.record.count("refused")
