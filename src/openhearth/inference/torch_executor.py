"""The torch executor: the reference on a processor, and what computes on a GPU.

It takes a ragged batch at a time, with keys and values in pages. The device is the model's own:
within a step whatever is made is made there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
import torch

from openhearth.inference.capture import capture_on
from openhearth.inference.decoder import Decoder
from openhearth.inference.executor import PAGE, Work, room_within
from openhearth.models import Model, Piece, Ragged, load_model, low_ranks
from openhearth.models.channels.mixture import MixtureOfExperts
from openhearth.models.decode_table import DecodeTable, Spare
from openhearth.models.device import best_device, making_on
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
        return sum(t.nbytes for pair in self.low_ranks.values() for t in pair.state_dict().values())


class TorchExecutor:
    """A model, with the adapters it carries, and room for its sequences.

    If it `captures`, as by default on a GPU, steps in which every sequence goes on by one token
    are left to a `Decoder`, whose spare page and slot come on top of the others.
    """

    def __init__(
        self,
        model: Model,
        pages: int,
        slots: int = 0,
        page: int = PAGE,
        *,
        captures: bool | None = None,
    ) -> None:
        self.page, self.pages, self.slots = page, pages, slots
        self.vocab_size = model.config.vocab_size
        self.program = None
        self._model, self._device = model, model.device
        if captures is None:
            captures = self._device.type == "cuda" and has_fixed_shapes(model)
        spare = int(captures)
        with making_on(self._device):
            self._states = model.new_states(pages + spare, page, slots + spare)
        self._decoder = None
        if captures:
            capture = capture_on(self._device)
            self._decoder = Decoder(self._forward, capture, Spare(pages, slots), page)

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
        model = load_model(base, dtype, best_device())
        room = room_within(memory, model.config, model.bytes_per_token())
        return cls(model, room.pages, room.slots)

    def read_adapter(self, artifact: Artifact, name: str) -> Adapter:
        """As `Executor` says."""
        return Adapter(low_ranks(self._model, artifact, name))

    def attach(self, name: str, adapter: Adapter) -> None:
        """As `Executor` says."""
        linears = dict(self._model.linears())
        for path, low_rank in adapter.low_ranks.items():
            linears[path].adapters[name] = low_rank.to(self._device)

    def detach(self, name: str) -> None:
        """As `Executor` says."""
        for _, linear in self._model.linears():
            linear.adapters.pop(name, None)

    @torch.inference_mode()
    def step(self, works: Sequence[Work]) -> np.ndarray:
        """Compute all works; fp32 logits [sum of wanted, vocab_size]."""
        with making_on(self._device):
            return _to_host(self._logits(works))

    def copy_states(self, copies: Sequence[tuple[int, int]]) -> None:
        """As `Executor` says."""
        for state in self._states:
            if isinstance(state, Slots):
                for source, target in copies:
                    state.copy(source, target)

    def _logits(self, works: Sequence[Work]) -> torch.Tensor:
        if self._decoder is not None and all(map(_is_plain, works)):
            hidden = self._decoder.hidden(works)
        else:
            hidden = self._hidden(works)
        ends = accumulate(len(work.tokens) for work in works)
        wanted = [
            row
            for end, work in zip(ends, works, strict=True)
            for row in range(end - work.wanted, end)
        ]
        return self._model.logits(hidden[torch.tensor(wanted, dtype=torch.long)])

    def _hidden(self, works: Sequence[Work]) -> torch.Tensor:
        tokens = torch.tensor([token for work in works for token in work.tokens])
        return self._model(tokens, Ragged([self._piece(work) for work in works]), self._states)

    def _forward(self, table: DecodeTable) -> torch.Tensor:
        return self._model(table.tokens, table, self._states)

    def _piece(self, work: Work) -> Piece:
        end = work.place + len(work.tokens)
        pages = work.pages[: -(-end // self.page)]  # those behind may hold anything
        return Piece(len(work.tokens), work.place, pages, work.adapter, work.slot)


def has_fixed_shapes(model: Model) -> bool:
    """Whether no shape within a step depends on values. How many rows an expert gets does."""
    return not any(isinstance(module, MixtureOfExperts) for module in model.modules())


def _is_plain(work: Work) -> bool:
    """Whether a sequence goes on by one token, with the base model."""
    return len(work.tokens) == 1 and work.adapter is None


def _to_host(values: torch.Tensor) -> np.ndarray:
    """A GPU writes into pinned memory several times faster than into other memory."""
    if values.is_cuda:
        values = torch.empty_like(values, device="cpu", pin_memory=True).copy_(values)
    return values.numpy()
