"""When the tokens of one answer came. All times are seconds.

Every wait counts from the instant at which the request was due (rule 12).

A request that failed is later than any bound (rule 28): its waits are infinite. What a request
does not have (text, a second chunk, an end that we did not make ourselves) is None, and is left
out of the figures about it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from openhearth.bench.measures.prompts import prompt_texts
from openhearth.bench.measures.tokens import Counter
from openhearth.bench.records import Part, Record


@dataclass(frozen=True, slots=True)
class Timing:
    """A record, and the tokens of its chunks by a neutral count.

    `events` are the times of those chunks that have tokens, and how many they have.
    """

    record: Record
    events: tuple[tuple[float, int], ...]
    prompt_tokens: int

    @property
    def failed(self) -> bool:
        """Whether it ended in an error."""
        return self.record.failure is not None

    @property
    def tokens(self) -> int:
        """Of the answer: text, thoughts and tool calls."""
        return sum(count for _, count in self.events)

    @property
    def first(self) -> float | None:
        """When something came that the model made. Vectors come whole: at the end."""
        chunks = self.record.chunks
        return chunks[0].at if chunks else self._end

    @property
    def ttft(self) -> float | None:
        """Time to the first event with content (rule 20)."""
        return self._since_due(self.first)

    @property
    def ttfo(self) -> float | None:
        """Time to the first event that is more than a thought (rule 20)."""
        spoken = (chunk.at for chunk in self.record.chunks if chunk.part is not Part.THOUGHT)
        return self._since_due(next(spoken, None))

    @property
    def tpot(self) -> float | None:
        """Time per output token after those of the first chunk (rule 22)."""
        if self.failed:
            return math.inf
        later = sum(count for _, count in self.events[1:])
        return (self.events[-1][0] - self.events[0][0]) / later if later else None

    @property
    def ntpot(self) -> float | None:
        """Time per output token, the first wait included (rule 22)."""
        whole = self.e2e
        return whole / self.tokens if whole is not None and self.tokens else None

    @property
    def e2e(self) -> float | None:
        """Time to the end (rule 22)."""
        return self._since_due(self._end)

    def itl(self) -> Iterator[tuple[float, int]]:
        """Inter-token latencies, and of how many tokens each is (rule 21)."""
        for (before, _), (at, count) in pairwise(self.events):
            yield (at - before) / count, count

    def icl(self) -> Iterator[tuple[float, int]]:
        """Inter-chunk latencies, each once (rule 21)."""
        for before, after in pairwise(self.record.chunks):
            yield after.at - before.at, 1

    @property
    def _end(self) -> float | None:
        return None if self.record.hung_up else self.record.ended

    def _since_due(self, at: float | None) -> float | None:
        if self.failed:
            return math.inf
        return None if at is None else at - self.record.due


def timings(records: Iterable[Record], counter: Counter) -> list[Timing]:
    """The timings of all, in the order in which they were due."""
    ordered = sorted(records, key=lambda record: (record.due, record.number))
    return [_timing(record, counter) for record in ordered]


def _timing(record: Record, counter: Counter) -> Timing:
    shares = counter.shares([chunk.text for chunk in record.chunks])
    events = zip((chunk.at for chunk in record.chunks), shares, strict=True)
    return Timing(
        record,
        tuple(event for event in events if event[1]),
        sum(counter.count(text) for text in prompt_texts(record.request)),
    )
