"""What a run would learn from, before it starts: spans that count, what is cut, how many steps."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from openhearth.data import Tokenizer
from openhearth.progress import Progress, silent
from openhearth.store import Store
from openhearth.training.material import material
from openhearth.training.order import order
from openhearth.training.recipe import TrainRecipe
from openhearth.training.train import base_and_start, budget_of

Span = tuple[str, bool]
"""Text, and whether it is learnt."""


@dataclass(frozen=True)
class Preview:
    """The first examples as spans, sequence by sequence, and what there is in all.

    `report` is how many lines were cut or left out, where the data is a file.
    """

    examples: list[list[list[Span]]]
    count: int
    tokens: int
    learnt: int
    steps: int
    report: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return asdict(self)


def preview(
    store: Store, recipe: TrainRecipe, shown: int = 3, progress: Progress = silent
) -> Preview:
    """Prepare a recipe's data, which the run then finds, and look at it.

    Raises:
        NotFound, UsageError: as `carry_out`.
    """
    base, _ = base_and_start(store, recipe)
    found = material(store, recipe, base, progress)
    items, tokenizer = found.train, Tokenizer.load(base)
    examples = [
        [_spans(tokenizer, ids.tolist(), counts.tolist()) for ids, counts in items.pieces(i)]
        for i in range(min(shown, len(items)))
    ]
    return Preview(
        examples,
        len(items),
        int(items.lengths.sum()),
        sum(items.counted(i) for i in range(len(items))),
        len(order(items, budget_of(recipe))),
        found.tokens.manifest.metrics.get("train", {}),
    )


def _spans(tokenizer: Tokenizer, ids: list[int], counts: list[bool]) -> list[Span]:
    """Neighbouring tokens that all are learnt, or all are not, as text."""
    starts = [i for i in range(len(ids)) if i == 0 or counts[i] != counts[i - 1]]
    return [
        (tokenizer.decode(ids[start:stop], skip_special=False), bool(counts[start]))
        for start, stop in zip(starts, [*starts[1:], len(ids)], strict=True)
    ]
