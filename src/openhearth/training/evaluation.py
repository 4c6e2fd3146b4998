"""Looking at a run while it goes: its loss on held-out items, bits per byte, and what it writes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch

from openhearth.data import Tokenizer
from openhearth.models import Model, Piece, Ragged
from openhearth.models.device import making_on
from openhearth.training.items import Items, collate
from openhearth.training.objectives import Objective
from openhearth.training.objectives.next_token import Prediction
from openhearth.training.order import micro_batches
from openhearth.training.recipe import Evaluation


@torch.no_grad()
def total_loss(
    model: Model,
    items: Items,
    chosen: Sequence[int],
    objective: Objective,
    at_once: int,
    adapter: str | None = None,
) -> float:
    """The sum of an objective's loss over some items, at most so many tokens together."""
    total = 0.0
    for part in micro_batches(items, chosen, at_once):
        batch = collate(items, part, adapter, model.device)
        with making_on(model.device):
            total += objective.loss(model, batch).item()
    return total


@dataclass(frozen=True)
class Evaluator:
    """Measures a model on the first items of a held-out source."""

    recipe: Evaluation
    objective: Objective
    heldout: Items | None
    tokenizer: Tokenizer
    adapter: str | None
    micro_tokens: int

    @torch.no_grad()
    def measure(self, model: Model) -> dict[str, object]:
        """The mean loss; for predictions also bits per byte, which does not depend on the
        tokenizer; and the samples.
        """
        model.eval()
        found: dict[str, object] = {}
        if self._chosen:
            total = total_loss(
                model, self._items, self._chosen, self.objective, self.micro_tokens, self.adapter
            )
            found["loss"] = total / self.objective.weight(self._items, self._chosen)
            if isinstance(self.objective, Prediction):
                found["bits_per_byte"] = total / math.log(2) / max(1, self._bytes)
        if self.recipe.prompts:
            with making_on(model.device):
                found["samples"] = [self._continue(model, prompt) for prompt in self.recipe.prompts]
        model.train()
        return found

    @property
    def _items(self) -> Items:
        assert self.heldout is not None
        return self.heldout

    @cached_property
    def _chosen(self) -> Sequence[int]:
        return range(min(self.recipe.items, len(self.heldout))) if self.heldout is not None else []

    @cached_property
    def _bytes(self) -> int:
        """Of the text of the tokens that count."""
        return sum(
            len(self.tokenizer.decode(ids[counts].tolist()).encode())
            for i in self._chosen
            for ids, counts in self._items.pieces(i)
        )

    def _continue(self, model: Model, prompt: str) -> str:
        """The likeliest continuation, or answer where the model has a chat template."""
        framed = self.tokenizer.chat_template and self.tokenizer.chat(
            [{"role": "user", "content": prompt}], add_generation_prompt=True
        )
        ids = self.tokenizer.encode(framed or prompt)
        start = len(ids)
        for _ in range(self.recipe.sample_tokens):
            tokens = torch.tensor(ids)
            hidden = model(tokens, Ragged([Piece(len(ids), adapter=self.adapter)]))
            ids.append(int(model.logits(hidden[-1:]).argmax()))
            if ids[-1] in self.tokenizer.eos_ids:
                break
        return self.tokenizer.decode(ids[start:])
