"""One base model with its queue: plan a step, compute it, sample, deliver."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np

from openhearth.data.tokenizer import Tokenizer
from openhearth.errors import HearthError
from openhearth.inference.adapters import Adapters
from openhearth.inference.cache import Cache
from openhearth.inference.chooser import Chooser, Chosen
from openhearth.inference.executor import Executor, Work
from openhearth.inference.request import (
    ContextTooLong,
    DeadlinePassed,
    Delta,
    EngineBusy,
    TokenLogprob,
)
from openhearth.inference.sampler import Choice
from openhearth.inference.scheduler import Plan, Scheduler
from openhearth.inference.sequence import Sequence

STEP_TOKENS = 512
MOST_WAITING = 256

Result = Chosen | Exception


class Lane:
    """Serves all sequences of one base model and its adapters. Used under its loop's lock,
    except `compute` and `logits`, which only the loop's thread calls.
    """

    def __init__(
        self, executor: Executor, tokenizer: Tokenizer, most_running: int, adapters: Adapters
    ) -> None:
        self.adapters = adapters
        self.vocab_size = executor.vocab_size
        self._tokenizer = tokenizer
        self._executor = executor
        self._chooser = Chooser(tokenizer, executor.vocab_size, executor.program)
        self._cache = Cache(executor.pages, executor.page, executor.slots)
        self._scheduler = Scheduler(
            self._cache, budget=STEP_TOKENS, most_running=most_running, most_waiting=MOST_WAITING
        )

    @property
    def idle(self) -> bool:
        """Whether there is nothing to do."""
        return self._scheduler.idle

    def check_room(self, tokens: int) -> None:
        """Raise `ContextTooLong` if so many tokens do not fit the memory even alone."""
        if self._cache.pages_for(tokens) > self._cache.count:
            raise ContextTooLong(
                f"The request may need the keys and values of {tokens} tokens, but the memory "
                f"holds {self._cache.count * self._cache.page}: ask for less, or start the engine "
                "with more kv_memory."
            )

    def prepare(self, sequence: Sequence) -> None:
        """Make a sequence ready to be added; without the lock, since it may take a second.

        Raises:
            UsageError: its constraint or its logit bias makes no sense.
        """
        self._chooser.prepare(sequence)

    def add(self, sequence: Sequence) -> None:
        """Queue a sequence, whose adapter is held and will be released.

        Raises:
            EngineBusy: the queue is full.
        """
        self._scheduler.add(sequence)

    def plan(self) -> Plan:
        """The next step, without those that nobody waits for any more or that are too late."""
        now = time.monotonic()
        for sequence in self._scheduler.everything():
            if sequence.stream.cancelled:
                self._end(sequence, "cancelled")
        for sequence in self._scheduler.late(now):
            self._finish(sequence)
            sequence.stream.fail(too_late(sequence))
        return self._scheduler.plan(now)

    def compute(self, plan: Plan) -> list[Result]:
        """For each work the tokens that come next, or why there are none.

        If a step fails, its works are tried one by one, so that one cannot spoil the others; those
        with a recurrent state, which the step may have changed, from their beginnings.
        """
        try:
            self._executor.copy_states(self._scheduler.take_copies())
            masks = self._chooser.begin(plan)
            try:
                logits = self._executor.step([work for _, work in plan])
            finally:
                if masks:
                    masks.exception()  # the matchers are theirs until then
            return list(self._chooser.choose(plan, logits, masks))
        except Exception as error:
            if len(plan) == 1:
                return [error]
            return [self.compute([(one, from_the_beginning(one, work))])[0] for one, work in plan]

    def deliver(self, plan: Plan, results: list[Result]) -> None:
        """Give every sequence of the step its next tokens, or the error that befell it."""
        for (sequence, work), result in zip(plan, results, strict=True):
            try:
                if isinstance(result, Exception):
                    raise result
                self._scheduler.computed(sequence, work, len(result))
                if all(self._advance(sequence, choice) for choice in result):
                    self._chooser.guess(sequence)
            except Exception as error:
                self._fail(sequence, error)

    def fail(self, error: Exception) -> None:
        """End everything with an error: the queue itself has failed, but not the service."""
        for sequence in self._scheduler.everything():
            self._fail(sequence, error)

    def cancel_all(self) -> None:
        """End everything because the engine closes; who remembers it shall not keep the weights."""
        for sequence in self._scheduler.everything():
            self._end(sequence, "cancelled")
        self._chooser.close()
        self.adapters.close()
        del self._executor

    def logits(self, ids: list[int], adapter: str | None) -> np.ndarray:
        """What the model expects after each of `ids`: fp32 [len(ids), vocab_size].

        Raises:
            EngineBusy: running requests need the memory.
        """
        busy = EngineBusy("Running requests need the memory: ask again when they have ended.")
        if not self._cache.has_slot:
            raise busy
        hold, rows = self._cache.hold([]), []
        try:
            if not self._cache.grow(hold, len(ids)):
                raise busy
            for start in range(0, len(ids), STEP_TOKENS):
                tokens = ids[start : start + STEP_TOKENS]
                work = Work(tokens, start, hold.pages, adapter, len(tokens), hold.slot)
                rows.append(self._executor.step([work]))
        finally:
            self._cache.release(hold)
        return np.concatenate(rows)

    def _advance(self, sequence: Sequence, choice: Choice) -> bool:
        """Add a token to the answer; False if it ends there."""
        token = choice.token
        sequence.push(token)
        if token in self._tokenizer.eos_ids:
            self._end(sequence, "stop")
            return False
        self._chooser.accept(sequence, token)
        described: tuple[TokenLogprob, ...] = ()
        if sequence.request.sampling.logprobs is not None:
            described = (self._describe(choice),)
        delta = Delta(sequence.text.push(token), (token,), described)
        if sequence.text.stopped:
            self._end(sequence, "stop", delta)
            return False
        if sequence.left == 0:
            self._end(sequence, "length", delta)
            return False
        sequence.stream.put(delta)
        return True

    def _describe(self, choice: Choice) -> TokenLogprob:
        text = self._tokenizer.token_text
        top = tuple((token, text(token), logprob) for token, logprob in choice.top)
        return TokenLogprob(choice.token, text(choice.token), choice.logprob, top)

    def _end(self, sequence: Sequence, reason: str, last: Delta | None = None) -> None:
        """End it, or fail it alone if its text cannot be ended."""
        last = last or Delta()
        try:
            text = last.text + sequence.text.finish()
        except Exception as error:
            self._fail(sequence, error)
            return
        self._finish(sequence)
        usage, timings = sequence.usage(), sequence.timings()
        sequence.stream.put(Delta(text, last.tokens, last.logprobs, reason, usage, timings))

    def _finish(self, sequence: Sequence) -> None:
        self._scheduler.finish(sequence)
        if sequence.adapter is not None:
            self.adapters.release(sequence.adapter)

    def _fail(self, sequence: Sequence, error: Exception) -> None:
        self._finish(sequence)
        if not isinstance(error, HearthError):
            failure = HearthError(f"The engine failed at this request ({error}): send it again.")
            failure.__cause__ = error
            error = failure
        sequence.stream.fail(error)


def from_the_beginning(sequence: Sequence, work: Work) -> Work:
    """A work that needs no state that was there before it; the work itself if it has none."""
    if work.slot is None:
        return work
    return replace(work, tokens=sequence.ids[: work.place + len(work.tokens)], place=0)


def too_late(sequence: Sequence) -> DeadlinePassed:
    """What a sequence ends with whose turn did not come within its deadline."""
    return DeadlinePassed(
        f"The request could not start within its deadline of {sequence.request.deadline} s, "
        "because others were before it: allow more time, or send it again later."
    )
