"""What the next step computes: every running answer's next token, and prompts in chunks.

Continuous batching (Orca, OSDI 2022): sequences join and leave between steps. A step has a budget
of tokens, so that a long prompt, cut into chunks, does not stall the answers that are running.

Of those that wait, the highest priority is let in first; then the tenant that was served least;
then whoever finds most of its prompt in the cache, unless an earlier one was passed over PATIENCE
times. A sequence that runs has pages for all its tokens. When they run out, the last of the lowest
priority gives up its pages and waits; the cache keeps what they contain as long as it can, so that
little is computed again.
"""

from __future__ import annotations

from itertools import count

from openhearth.inference.cache import Cache, Copy, Hold
from openhearth.inference.executor import Work
from openhearth.inference.fairness import INPUT, OUTPUT, FairShares
from openhearth.inference.request import EngineBusy
from openhearth.inference.sequence import Sequence

PATIENCE = 16  # later arrivals
WINDOW = 32  # of those that wait, whose prompts are looked up in the cache

Plan = list[tuple[Sequence, Work]]


class Scheduler:
    """The queue and the running sequences. `budget` is in tokens a step."""

    def __init__(self, cache: Cache, *, budget: int, most_running: int, most_waiting: int) -> None:
        self._cache = cache
        self._budget = budget
        self._most_running = most_running
        self._most_waiting = most_waiting
        self._shares = FairShares()
        self._orders = count()
        self._waiting: list[Sequence] = []
        self._running: list[Sequence] = []
        self._copies: list[Copy] = []
        self.preemptions = 0

    @property
    def idle(self) -> bool:
        """Whether there is nothing to do."""
        return not self._running and not self._waiting

    def everything(self) -> list[Sequence]:
        """All sequences, running and waiting."""
        return [*self._running, *self._waiting]

    def add(self, sequence: Sequence) -> None:
        """Queue a sequence, which must fit the cache when it is alone.

        Raises:
            EngineBusy: the queue is full.
        """
        if len(self._waiting) >= self._most_waiting:
            raise EngineBusy(
                f"{self._most_waiting} requests are waiting already: send this one again later."
            )
        sequence.order = next(self._orders)
        self._shares.arrive(sequence.request.tenant)
        self._waiting.append(sequence)

    def late(self, now: float) -> list[Sequence]:
        """Those that have not started, though their deadline has passed."""
        return [
            s
            for s in self._waiting
            if s.started is None
            and s.request.deadline is not None
            and now > s.arrived + s.request.deadline
        ]

    def plan(self, now: float) -> Plan:
        """The next step's work. Rows of one adapter are neighbours, which saves products."""
        self._make_room()
        while self._waiting and self._admit(now):
            pass
        budget, plan = self._budget, []
        # Running answers first (one token each), then prompts.
        for sequence in sorted(self._running, key=lambda s: (s.pending > 1, s.rank)):
            tokens = min(sequence.pending, budget)
            if tokens == 0:
                break
            work = self._work(sequence, tokens, budget - tokens)
            budget -= len(work.tokens)
            plan.append((sequence, work))
        return sorted(plan, key=lambda item: item[0].adapter or "")

    def computed(self, sequence: Sequence, work: Work, chosen: int) -> None:
        """A work of the plan is done: its keys and values can be shared.

        `chosen` tokens came of it, which are not in the sequence yet; all but the last were drafts.
        """
        assert sequence.hold is not None
        stops = self._stops(sequence, sequence.hold)
        sequence.computed += len(work.tokens) - work.wanted + chosen
        known = min(sequence.computed, sequence.length)
        self._cache.learn(sequence.hold, sequence.blocks(known, self._cache.page))
        self._keep(sequence, sequence.hold, stops)
        self._shares.charge(sequence.request.tenant, OUTPUT * chosen)

    def take_copies(self) -> list[Copy]:
        """The recurrent states that must be copied before the next step, in this order."""
        copies, self._copies = self._copies, []
        return copies

    def finish(self, sequence: Sequence) -> None:
        """Take a sequence out, running or waiting."""
        if sequence.hold is not None:
            self._stop(sequence)
        else:
            self._waiting.remove(sequence)
        self._shares.leave(sequence.request.tenant)

    def _work(self, sequence: Sequence, tokens: int, spare: int) -> Work:
        """Its next tokens and, if they are the last known, as much of its draft as has room. A
        recurrent state cannot go back behind a draft that was wrong, and has none.
        """
        assert sequence.hold is not None
        end = min([sequence.computed + tokens, *self._stops(sequence, sequence.hold)])
        last = end == sequence.length
        drafts = last and sequence.hold.slot is None
        draft = sequence.draft[: min(spare, sequence.left - 1)] if drafts else []
        if not self._cache.grow(sequence.hold, end + len(draft)):
            draft = []
        return Work(
            [*sequence.ids[sequence.computed : end], *draft],
            sequence.computed,
            sequence.hold.pages[: self._cache.pages_for(end + len(draft))],
            sequence.adapter,
            wanted=last + len(draft),
            slot=sequence.hold.slot,
        )

    def _stops(self, sequence: Sequence, hold: Hold) -> list[int]:
        """Places at which a chunk of it must end, so that its state can be kept for others: where
        it parts from what was known, and its last full block.
        """
        if hold.slot is None:
            return []
        page = self._cache.page
        stops = (hold.parting * page, (sequence.length - 1) // page * page)
        return [stop for stop in stops if stop > sequence.computed]

    def _keep(self, sequence: Sequence, hold: Hold, stops: list[int]) -> None:
        """Keep its state if it has come to one of `stops`, or is at a full block of its answer."""
        answering = sequence.computed == sequence.length
        if sequence.computed in stops or (answering and sequence.computed % self._cache.page == 0):
            copy = self._cache.keep(hold, moving=answering)
            if copy is not None:
                self._copies.append(copy)

    def _make_room(self) -> None:
        """Pages for the running answers' next tokens, the first in rank first."""
        for sequence in sorted(self._running, key=lambda s: s.rank):
            while sequence.hold and not self._cache.grow(sequence.hold, sequence.length):
                self._preempt(max(self._running, key=lambda s: s.rank))

    def _admit(self, now: float) -> bool:
        """Let the next one in, if there is one that need not wait for others."""
        if len(self._running) == self._most_running and not self._victim(self._waiting):
            return False
        first = self._next()
        if first is None or not self._start(first):
            return False
        self._waiting.remove(first)
        self._running.append(first)
        tenant = first.request.tenant
        for other in self._waiting:
            behind = other.request.priority == first.request.priority and other.order < first.order
            other.passed_over += behind and other.request.tenant == tenant
        if first.started is None:
            first.started, first.cached = now, first.computed
            self._shares.charge(tenant, INPUT * first.pending)
        return True

    def _next(self) -> Sequence | None:
        def turn(s: Sequence) -> tuple[int, float]:
            return -s.request.priority, self._shares.served(s.request.tenant)

        window = sorted(self._waiting, key=lambda s: (*turn(s), s.order))[:WINDOW]
        known = {s: self._cache.known(self._beginning(s)) for s in window}
        ready = [s for s in window if not self._is_being_computed(s, known[s])]

        def key(s: Sequence) -> tuple[int, float, bool, int, int]:
            patient = s.passed_over < PATIENCE
            return *turn(s), patient, -known[s] if patient else 0, s.order

        return min(ready, key=key, default=None)

    def _beginning(self, sequence: Sequence) -> list[bytes]:
        """The blocks it may share: at least its last token is to be computed."""
        return sequence.blocks(sequence.length - 1, self._cache.page)

    def _is_being_computed(self, sequence: Sequence, known: int) -> bool:
        """Whether a running prompt will soon bring more of this one's than is known."""
        more = self._beginning(sequence)[: known + 1]
        return len(more) > known and any(
            other.pending > 1 and other.blocks(other.length, self._cache.page)[: known + 1] == more
            for other in self._running
        )

    def _start(self, sequence: Sequence) -> bool:
        """Give it pages and a slot, if need be those of lower priority; False if there are none."""
        while not self._cache.has_slot:
            if not self._displace(sequence):
                return False
        hold = self._cache.hold(self._beginning(sequence))
        while not self._has_room(len(hold.pages), sequence.length):
            if not self._displace(sequence):
                self._cache.release(hold)
                return False
        if hold.source is not None and hold.slot is not None:
            self._copies.append((hold.source, hold.slot))
        sequence.hold, sequence.computed = hold, len(hold.pages) * self._cache.page
        grown = self._cache.grow(hold, sequence.length)
        assert grown, "a sequence was queued that does not fit the cache even alone"
        return True

    def _has_room(self, held: int, tokens: int) -> bool:
        """Whether one more may run, with a page to spare for each that runs already."""
        if not self._running:
            return True
        needed = self._cache.pages_for(tokens) - held + len(self._running)
        return len(self._running) < self._most_running and needed <= self._cache.available

    def _victim(self, claimants: list[Sequence]) -> Sequence | None:
        """The last of those running, if its priority is lower than a claimant's."""
        last = max(self._running, key=lambda s: s.rank, default=None)
        highest = max(s.request.priority for s in claimants)
        return last if last is not None and last.request.priority < highest else None

    def _displace(self, sequence: Sequence) -> bool:
        """Preempt one of lower priority; False if there is none."""
        victim = self._victim([sequence])
        if victim is not None:
            self._preempt(victim)
        return victim is not None

    def _preempt(self, sequence: Sequence) -> None:
        self._stop(sequence)
        self._waiting.append(sequence)
        self.preemptions += 1

    def _stop(self, sequence: Sequence) -> None:
        assert sequence.hold is not None
        self._running.remove(sequence)
        self._cache.release(sequence.hold)
        sequence.hold, sequence.computed = None, 0
