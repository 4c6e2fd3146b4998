"""The reference executor: torch, a ragged batch at a time, keys and values in pages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from openhearth.inference.executor import PAGE, Work, room_within
from openhearth.models import Model, Piece, Ragged, load_model, low_ranks
from openhearth.models.linear import LowRank
from openhearth.models.mixers.recurrent import Slots
from openhearth.store import Artifact


@dataclass(frozen=True)
class Adapter:
    """An adapter's modules, by the paths of the matrices that they belong to."""

    low_ranks: dict[str, LowRank]

    @property
    def bytes(self) -> int:
        """What it takes of memory."""
        return sum(p.nbytes for pair in self.low_ranks.values() for p in (pair.a, pair.b))


class TorchExecutor:
    """A model, with the adapters it carries, and room for its sequences."""

    def __init__(self, model: Model, pages: int, slots: int = 0, page: int = PAGE) -> None:
        self.page, self.pages, self.slots = page, pages, slots
        self.vocab_size = model.config.vocab_size
        self.program = None
        self._model = model
        self._states = model.new_states(pages, page, slots)

    @classmethod
    def load(
        cls,
        base: Artifact,
        *,
        memory: int,
        dtype: str = "auto",
        threads: int | None = None,
    ) -> TorchExecutor:
        """As `open_executor` says. `threads` holds for all of torch in this process."""
        if threads is not None:
            torch.set_num_threads(threads)
        model = load_model(base, dtype)
        room = room_within(memory, model.config, model.bytes_per_token())
        return cls(model, room.pages, room.slots)

    def read_adapter(self, artifact: Artifact, name: str) -> Adapter:
        """As `Executor` says."""
        return Adapter(low_ranks(self._model, artifact, name))

    def attach(self, name: str, adapter: Adapter) -> None:
        """As `Executor` says."""
        linears = dict(self._model.linears())
        for path, low_rank in adapter.low_ranks.items():
            linears[path].adapters[name] = low_rank

    def detach(self, name: str) -> None:
        """As `Executor` says."""
        for _, linear in self._model.linears():
            linear.adapters.pop(name, None)

    @torch.inference_mode()
    def step(self, works: Sequence[Work]) -> np.ndarray:
        """Compute all works; fp32 logits [sum of wanted, vocab_size]."""
        tokens = torch.tensor([token for work in works for token in work.tokens])
        batch = Ragged([self._piece(work) for work in works])
        hidden = self._model(tokens, batch, self._states)
        wanted = [
            row
            for (rows, _), work in zip(batch.spans, works, strict=True)
            for row in range(rows.stop - work.wanted, rows.stop)
        ]
        return self._model.logits(hidden[wanted]).numpy()

    def copy_states(self, copies: Sequence[tuple[int, int]]) -> None:
        """As `Executor` says."""
        for state in self._states:
            if isinstance(state, Slots):
                for source, target in copies:
                    state.copy(source, target)

    def _piece(self, work: Work) -> Piece:
        end = work.place + len(work.tokens)
        pages = work.pages[: -(-end // self.page)]  # those behind may hold anything
        return Piece(len(work.tokens), work.place, pages, work.adapter, work.slot)
