"""The next tokens of a step: every sequence's draws, with its penalties and its constraint.

The masks of constraints are computed while the step is. Text that a constraint forces is the
sequence's draft: its tokens are computed in one step, and those are kept that the sequence would
have drawn one by one, which are known after the fact.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence as Many
from concurrent.futures import Future
from functools import cached_property
from typing import Any

import numpy as np

from openhearth.data.tokenizer import Tokenizer
from openhearth.errors import HearthError
from openhearth.inference.constraint import Compiler, Masker, Masks
from openhearth.inference.executor import Work
from openhearth.inference.penalties import Penalties
from openhearth.inference.sampler import Choice, Draw, sample
from openhearth.inference.sequence import Sequence

MASKING = 1  # threads
MOST_GUESSED = 16  # tokens
Chosen = list[Choice] | HearthError
Planned = tuple[Sequence, Work]


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
            self.guess(sequence)

    def begin(self, plan: Many[Planned]) -> Future[list[Masks | HearthError]] | None:
        """Start on the masks of those that are constrained."""
        matchers = [
            (sequence.matcher, _draft(work))
            for sequence, work in plan
            if sequence.matcher is not None and work.wanted
        ]
        return self._masker.begin(matchers) if matchers else None

    def choose(
        self,
        plan: Many[Planned],
        logits: np.ndarray,
        masks: Future[list[Masks | HearthError]] | None,
    ) -> Iterator[Chosen]:
        """Each work's tokens, from its rows of logits [sum of wanted, vocab_size]."""
        found = iter(masks.result() if masks else ())
        allowed = [next(found) if s.matcher and work.wanted else None for s, work in plan]
        draws = [_draws(*one, mask) for one, mask in zip(plan, allowed, strict=True)]
        choices = iter(sample(logits, [draw for some in draws for draw in some], self._program))
        for (_, work), some, mask in zip(plan, draws, allowed, strict=True):
            drawn = [next(choices) for _ in some]
            yield mask if isinstance(mask, HearthError) else _kept(drawn, _draft(work))

    def accept(self, sequence: Sequence, token: int) -> None:
        """Go on by a token."""
        if sequence.penalties is not None:
            sequence.penalties = sequence.penalties.after(token)
        if sequence.matcher is not None:
            sequence.matcher.accept(token)

    def guess(self, sequence: Sequence) -> None:
        """Make what its constraint forces the draft of a sequence."""
        if sequence.matcher is not None:
            sequence.draft = sequence.matcher.forced()[:MOST_GUESSED]

    def close(self) -> None:
        """End the threads, and forget the program."""
        self._program = None
        if masker := self.__dict__.pop("_masker", None):
            masker.close()


def _draft(work: Work) -> Many[int]:
    """The tokens of a work that are not known but guessed."""
    return work.tokens[len(work.tokens) - max(0, work.wanted - 1) :]


def _draws(sequence: Sequence, work: Work, allowed: Masks | HearthError | None) -> list[Draw]:
    """One for each row: after what is known, and after each token of the draft."""
    draws, penalties, draft = [], sequence.penalties, _draft(work)
    for row in range(work.wanted):
        mask = None if allowed is None or isinstance(allowed, HearthError) else allowed[row]
        place = sequence.length + row
        draws.append(Draw(sequence.request.sampling, sequence.seed, place, penalties, mask))
        if penalties is not None and row < len(draft):
            penalties = penalties.after(draft[row])
    return draws


def _kept(choices: list[Choice], draft: Many[int]) -> Chosen:
    """The choices up to the first that the draft did not foresee."""
    right = 0
    while right < len(draft) and choices[right].token == draft[right]:
        right += 1
    kept = choices[: right + 1]
    if all(choice.token >= 0 for choice in kept):
        return kept
    return HearthError(
        "The model's logits are not numbers: its weights, or its adapter's, are damaged; import "
        "them again."
    )
