"""A request under way: its tokens, how far they are computed, and when things happened to it."""

from __future__ import annotations

import time
from array import array
from dataclasses import dataclass, field

from openhearth.inference.cache import Hold
from openhearth.inference.constraint import Matcher
from openhearth.inference.penalties import Penalties
from openhearth.inference.request import Request, Timings, Usage
from openhearth.inference.stream import Stream
from openhearth.inference.text import TextStream


@dataclass(eq=False)
class Sequence:
    """`ids` are prompt and answer; `computed` of them have keys and values in the pages of `hold`,
    which a sequence has while it runs. Times are those of the monotonic clock, in seconds.
    """

    request: Request
    adapter: str | None
    seed: int
    text: TextStream
    stream: Stream = field(default_factory=Stream)
    arrived: float = field(default_factory=time.monotonic)
    order: int = 0  # among all arrivals of its queue
    passed_over: int = 0  # times that a later arrival was let in before it
    weights: str = ""  # the digest of the adapter, which its keys and values depend on
    hold: Hold | None = None
    computed: int = 0
    cached: int | None = None  # tokens that needed no computing at its first start
    started: float | None = None
    answered: float | None = None  # when its first token came
    draft: list[int] = field(default_factory=list)  # guessed to come next
    penalties: Penalties | None = None
    matcher: Matcher | None = None
    _blocks: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.ids = list(self.request.prompt)
        self.answer: list[int] = []

    @property
    def length(self) -> int:
        """Tokens of prompt and answer so far."""
        return len(self.ids)

    @property
    def pending(self) -> int:
        """Tokens that are known but not computed."""
        return len(self.ids) - self.computed

    @property
    def left(self) -> int:
        """Tokens that the answer may still have."""
        return self.request.sampling.max_tokens - len(self.answer)

    @property
    def rank(self) -> tuple[int, int]:
        """Who comes first: the higher priority, then the earlier arrival."""
        return -self.request.priority, self.order

    def push(self, token: int) -> None:
        """Add a token to the answer."""
        self.ids.append(token)
        self.answer.append(token)
        self.answered = self.answered or time.monotonic()

    def blocks(self, tokens: int, page: int) -> list[bytes]:
        """The full blocks among the first `tokens` tokens, as the cache wants them."""
        for start in range(len(self._blocks) * page, tokens - page + 1, page):
            block = array("i", self.ids[start : start + page]).tobytes()
            self._blocks.append(block if start else block + self.weights.encode())
        return self._blocks[: tokens // page]

    def usage(self) -> Usage:
        """What it has cost so far."""
        return Usage(len(self.request.prompt), len(self.answer), self.cached or 0)

    def timings(self) -> Timings:
        """How long it has taken so far."""
        now = time.monotonic()
        started, answered = self.started or now, self.answered or now
        return Timings(started - self.arrived, answered - self.arrived, now - self.arrived)
