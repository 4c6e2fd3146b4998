"""One base model with its queue: plan a step, compute it, sample, deliver."""

from __future__ import annotations

import torch

from openhearth.data.tokenizer import Tokenizer
from openhearth.errors import HearthError
from openhearth.inference.cache import Slots
from openhearth.inference.executor import TorchExecutor, Work
from openhearth.inference.request import Delta, TokenLogprob, Usage
from openhearth.inference.sampler import sample
from openhearth.inference.scheduler import Scheduler, Sequence
from openhearth.models import Model

STEP_TOKENS = 512
MOST_WAITING = 256


class Lane:
    """Serves all sequences of one base model and its adapters. Used under its loop's lock,
    except `compute`, which only the loop's thread calls.
    """

    def __init__(self, model: Model, tokenizer: Tokenizer, slots: int, capacity: int) -> None:
        self._tokenizer = tokenizer
        self._executor = TorchExecutor(model, slots, capacity)
        self._scheduler = Scheduler(Slots(slots, capacity), STEP_TOKENS, MOST_WAITING)

    @property
    def idle(self) -> bool:
        """Whether there is nothing to do."""
        return self._scheduler.idle

    def add(self, sequence: Sequence) -> None:
        """Queue a sequence.

        Raises:
            EngineBusy: the queue is full.
        """
        self._scheduler.add(sequence)

    def plan(self) -> list[tuple[Sequence, Work]]:
        """The next step, after those were dropped that nobody waits for any more."""
        for sequence in self._scheduler.everything():
            if sequence.stream.cancelled:
                self._end(sequence, "cancelled")
        return self._scheduler.plan()

    def compute(self, plan: list[tuple[Sequence, Work]]) -> torch.Tensor:
        """The logits [n, vocab_size] of the works that want them."""
        return self._executor.step([work for _, work in plan])

    def deliver(self, plan: list[tuple[Sequence, Work]], logits: torch.Tensor) -> None:
        """Give every sequence of the step its next token."""
        rows = iter(logits)
        for sequence, work in plan:
            sequence.computed += len(work.tokens)
            if work.wants_logits:
                self._advance(sequence, next(rows))

    def fail(self, error: Exception) -> None:
        """End everything with an error: one failed step must not end the service."""
        failure = HearthError(f"The engine failed at this step ({error}): send it again.")
        failure.__cause__ = error
        for sequence in self._scheduler.everything():
            self._scheduler.finish(sequence)
            sequence.stream.fail(failure)

    def cancel_all(self) -> None:
        """End everything because the engine closes."""
        for sequence in self._scheduler.everything():
            self._end(sequence, "cancelled")

    def _advance(self, sequence: Sequence, logits: torch.Tensor) -> None:
        sampling = sequence.request.sampling
        token = sample(
            logits,
            sampling,
            seed=sequence.seed,
            position=sequence.length,
            prompt=sequence.request.prompt,
            answer=sequence.answer,
        )
        sequence.answer.append(token)
        if token in self._tokenizer.eos_ids:
            self._end(sequence, "stop")
            return
        text = sequence.text.push(token)
        described: tuple[TokenLogprob, ...] = ()
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
