"""What steps count: documents, characters, and what each rule removed, with a few examples."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

EXAMPLES = 2


@dataclass
class Tally:
    """Sums by name, and under names the first few examples."""

    counts: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[Any]] = field(default_factory=dict)

    def count(self, name: str, amount: int = 1) -> None:
        """Add to a sum."""
        self.counts[name] += amount

    def example(self, name: str, value: Any) -> None:
        """Keep an example, if there are few yet."""
        held = self.examples.setdefault(name, [])
        if len(held) < EXAMPLES:
            held.append(value)

    def add(self, other: Tally) -> None:
        """Take over what a later batch counted."""
        self.counts.update(other.counts)
        for name, values in other.examples.items():
            for value in values:
                self.example(name, value)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {"counts": dict(self.counts), "examples": self.examples}

    @classmethod
    def from_dict(cls, raw: dict[str, Any]) -> Tally:
        """What `to_dict` wrote."""
        return cls(Counter(raw["counts"]), raw["examples"])
