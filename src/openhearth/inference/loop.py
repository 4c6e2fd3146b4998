"""One model's loop, in a thread of its own: plan a step, compute it, sample, deliver."""

from __future__ import annotations

import threading

import torch

from openhearth.data.tokenizer import Tokenizer
from openhearth.errors import HearthError
from openhearth.inference.cache import Slots
from openhearth.inference.executor import TorchExecutor
from openhearth.inference.request import Delta, EngineBusy, TokenLogprob, Usage
from openhearth.inference.sampler import sample
from openhearth.inference.scheduler import Scheduler, Sequence
from openhearth.models import Model

STEP_TOKENS = 512
MOST_WAITING = 256


class Loop:
    """Serves all sequences of one base model and its adapters."""

    def __init__(self, model: Model, tokenizer: Tokenizer, slots: int, capacity: int) -> None:
        self._tokenizer = tokenizer
        self._executor = TorchExecutor(model, slots, capacity)
        self._scheduler = Scheduler(Slots(slots, capacity), STEP_TOKENS, MOST_WAITING)
        self._changed = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self._thread.start()

    def submit(self, sequence: Sequence) -> None:
        """Queue a sequence.

        Raises:
            EngineBusy: the queue is full, or the loop has ended.
        """
        with self._changed:
            if self._closing:
                raise EngineBusy("The engine is closing: send the request again later.")
            self._scheduler.add(sequence)
            self._changed.notify()

    def close(self) -> None:
        """End after the current step; what runs or waits ends as cancelled."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closing or not self._scheduler.idle)
                for sequence in self._scheduler.everything():
                    if self._closing or sequence.stream.cancelled:
                        self._end(sequence, "cancelled")
                if self._closing:
                    return
                plan = self._scheduler.plan()
            if plan:
                self._step(plan)

    def _step(self, plan: list) -> None:
        try:
            logits = iter(self._executor.step([work for _, work in plan]))
            for sequence, work in plan:
                sequence.computed += len(work.tokens)
                if work.wants_logits:
                    self._advance(sequence, next(logits))
        except Exception as error:  # one failed step must not end the service
            failure = HearthError(f"The engine failed at this step ({error}): send it again.")
            failure.__cause__ = error
            with self._changed:
                for sequence in self._scheduler.everything():
                    self._scheduler.finish(sequence)
                    sequence.stream.fail(failure)

    def _advance(self, sequence: Sequence, logits: torch.Tensor) -> None:
        """Give a sequence its next token."""
        sampling, prompt = sequence.request.sampling, sequence.request.prompt
        token = sample(
            logits,
            sampling,
            seed=sequence.seed,
            position=sequence.length,
            prompt=prompt,
            answer=sequence.answer,
        )
        sequence.answer.append(token)
        if token in self._tokenizer.eos_ids:
            self._end(sequence, "stop")
            return
        text = sequence.text.push(token)
        described = ()
        if sampling.logprobs is not None:
            described = (describe(logits, token, sampling.logprobs, self._tokenizer),)
        delta = Delta(text, (token,), described)
        if sequence.text.stopped:
            self._end(sequence, "stop", delta)
        elif len(sequence.answer) == sampling.max_tokens:
            self._end(sequence, "length", delta)
        else:
            sequence.stream.put(delta)

    def _end(self, sequence: Sequence, reason: str, last: Delta | None = None) -> None:
        last = last or Delta()
        with self._changed:
            self._scheduler.finish(sequence)
        usage = Usage(len(sequence.request.prompt), len(sequence.answer))
        text = last.text + sequence.text.finish()
        sequence.stream.put(Delta(text, last.tokens, last.logprobs, reason, usage))


def describe(
    logits: torch.Tensor, token: int, alternatives: int, tokenizer: Tokenizer
) -> TokenLogprob:
    """A token's log-probability and those of the likeliest, from logits [vocab_size]."""
    logprobs = logits.log_softmax(-1)
    values, ids = logprobs.topk(alternatives)
    top = tuple(
        (i, tokenizer.token_text(i), value)
        for i, value in zip(ids.tolist(), values.tolist(), strict=True)
    )
    return TokenLogprob(token, tokenizer.token_text(token), float(logprobs[token]), top)
