"""The next tokens of a step: every sequence's draw, with its penalties and its constraint.

The masks of constraints are computed while the step is.
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import Future
from functools import cached_property
from typing import Any

import numpy as np

from openhearth.data.tokenizer import Tokenizer
from openhearth.errors import HearthError
from openhearth.inference.constraint import Compiler, Masker, Masks
from openhearth.inference.penalties import Penalties
from openhearth.inference.sampler import Choice, Draw, sample
from openhearth.inference.sequence import Sequence

MASKING = 1  # threads
Chosen = Choice | HearthError


class Chooser:
    """Chooses for the sequences of one tokenizer; `program` is as `sample` wants it."""

    def __init__(self, tokenizer: Tokenizer, vocab_size: int, program: Any) -> None:
        self._tokenizer = tokenizer
        self._vocab_size = vocab_size
        self._program = program

    @cached_property
    def _compiler(self) -> Compiler:
        return Compiler(self._tokenizer)

    @cached_property
    def _masker(self) -> Masker:
        return Masker(MASKING)

    def prepare(self, sequence: Sequence) -> None:
        """Make a new sequence ready; called by any thread, since it may take a second.

        Raises:
            UsageError: its constraint or its logit bias makes no sense.
        """
        sampling, prompt = sequence.request.sampling, sequence.request.prompt
        sequence.penalties = Penalties.of(sampling, prompt, self._vocab_size)
        if sampling.constraint is not None:
            sequence.matcher = self._compiler.matcher(sampling.constraint)

    def begin(self, sequences: Iterable[Sequence]) -> Future[list[Masks | HearthError]] | None:
        """Start on the masks of those that are constrained."""
        matchers = [(s.matcher, ()) for s in sequences if s.matcher is not None]
        return self._masker.begin(matchers) if matchers else None

    def choose(
        self,
        sequences: list[Sequence],
        logits: np.ndarray,
        masks: Future[list[Masks | HearthError]] | None,
    ) -> list[Chosen]:
        """A token for each sequence, from its row of logits [n, vocab_size]."""
        found = iter(masks.result() if masks else ())
        allowed = [None if s.matcher is None else next(found) for s in sequences]
        draws = [_draw(*one) for one in zip(sequences, allowed, strict=True)]
        choices = sample(logits, draws, self._program)
        return [_judge(*one) for one in zip(choices, allowed, strict=True)]

    def accept(self, sequence: Sequence, token: int) -> None:
        """Go on by a token."""
        if sequence.penalties is not None:
            sequence.penalties = sequence.penalties.after(token)
        if sequence.matcher is not None:
            sequence.matcher.accept(token)

    def close(self) -> None:
        """End the threads."""
        if "_masker" in self.__dict__:
            self._masker.close()


def _draw(sequence: Sequence, allowed: Masks | HearthError | None) -> Draw:
    return Draw(
        sequence.request.sampling,
        sequence.seed,
        sequence.length,
        sequence.penalties,
        None if allowed is None or isinstance(allowed, HearthError) else allowed[0],
    )


def _judge(choice: Choice, allowed: Masks | HearthError | None) -> Chosen:
    if isinstance(allowed, HearthError):
        return allowed
    if choice.token >= 0:
        return choice
    return HearthError(
        "The model's logits are not numbers: its weights, or its adapter's, are damaged; import "
        "them again."
    )
