"""What the next step computes: every running answer's next token, and prompts in chunks.

Continuous batching (Orca, OSDI 2022): sequences join and leave between steps. A step has a budget
of tokens, so that a long prompt, cut into chunks, does not stall the answers that are running.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from openhearth.inference.cache import Slots
from openhearth.inference.executor import Work
from openhearth.inference.request import EngineBusy, Request
from openhearth.inference.stream import Stream
from openhearth.inference.text import TextStream
from openhearth.models import Piece


@dataclass(eq=False)
class Sequence:
    """A request under way. `computed` tokens of prompt and answer have their state in the slot."""

    request: Request
    adapter: str | None
    seed: int
    text: TextStream
    stream: Stream = field(default_factory=Stream)
    answer: list[int] = field(default_factory=list)
    slot: int = -1
    computed: int = 0

    @property
    def length(self) -> int:
        """Tokens of prompt and answer so far."""
        return len(self.request.prompt) + len(self.answer)

    @property
    def pending(self) -> int:
        """Tokens that are known but not computed."""
        return self.length - self.computed

    def tokens(self, count: int) -> list[int]:
        """The next `count` tokens to compute."""
        prompt, end = self.request.prompt, self.computed + count
        if self.computed >= len(prompt):
            return self.answer[self.computed - len(prompt) : end - len(prompt)]
        return [*prompt[self.computed : end], *self.answer[: max(0, end - len(prompt))]]


class Scheduler:
    """The queue, the running sequences, and their slots. Used by one thread, except `add`."""

    def __init__(self, slots: Slots, budget: int, most_waiting: int) -> None:
        self._slots = slots
        self._budget = budget
        self._most_waiting = most_waiting
        self._waiting: deque[Sequence] = deque()
        self.running: list[Sequence] = []

    @property
    def idle(self) -> bool:
        """Whether there is nothing to do."""
        return not self.running and not self._waiting

    def add(self, sequence: Sequence) -> None:
        """Queue a sequence.

        Raises:
            EngineBusy: the queue is full.
        """
        if len(self._waiting) >= self._most_waiting:
            raise EngineBusy(
                f"{self._most_waiting} requests are waiting already: send this one again later."
            )
        self._waiting.append(sequence)

    def plan(self) -> list[tuple[Sequence, Work]]:
        """The next step's work. Rows of one adapter are neighbours, which saves products."""
        self._admit()
        budget = self._budget
        plan = []
        # Running answers first (one token each), then prompts, oldest first.
        for sequence in sorted(self.running, key=lambda s: s.pending > 1):
            count = min(sequence.pending, budget)
            if count == 0:
                break
            budget -= count
            plan.append((sequence, _work(sequence, count)))
        return sorted(plan, key=lambda item: item[0].adapter or "")

    def _admit(self) -> None:
        while self._waiting and (slot := self._slots.take()) is not None:
            sequence = self._waiting.popleft()
            sequence.slot = slot
            self.running.append(sequence)

    def finish(self, sequence: Sequence) -> None:
        """Take a sequence out, running or waiting."""
        if sequence in self.running:
            self.running.remove(sequence)
            self._slots.give_back(sequence.slot)
        else:
            self._waiting.remove(sequence)

    def everything(self) -> list[Sequence]:
        """All sequences, running and waiting."""
        return [*self.running, *self._waiting]


def _work(sequence: Sequence, count: int) -> Work:
    piece = Piece(count, sequence.computed, sequence.slot, sequence.adapter)
    return Work(sequence.tokens(count), piece, wants_logits=count == sequence.pending)
