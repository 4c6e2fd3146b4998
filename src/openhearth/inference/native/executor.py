"""The native executor: works in, logits out, one call for a whole ragged batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain, count
from typing import Any

import numpy as np

from openhearth.data.executors import default_threads
from openhearth.errors import CorruptArtifact, UsageError
from openhearth.inference.executor import Room, Work, room_within
from openhearth.inference.native import _engine
from openhearth.inference.native.adapters import Adapter, Pairs, pack_pairs
from openhearth.inference.native.memory import kept_as, token_bytes
from openhearth.inference.native.program import lower
from openhearth.models import ModelConfig, open_model, read_adapter
from openhearth.models.isa import chosen
from openhearth.models.weights import Weights
from openhearth.store import Artifact

NONE = -1  # as the number of an adapter or a slot


class NativeExecutor:
    """A model with room for pages of keys and values, and for recurrent states.

    `dtype` is that of the weights: int4, int4-head8 (embedding and head in eight bits), int4-min,
    int8, bfloat16, float32, or `auto`, as few bits as are near to the file's, see `KEPT` in
    `weights.py`. `kv_dtype` is that of keys and values, see `kept_as`.

    Raises:
        UsageError: a layer or a size has no kernel, or the model is an encoder.
        CorruptArtifact: a weight is missing or damaged.
    """

    def __init__(
        self,
        config: ModelConfig,
        weights: Weights,
        *,
        room: Room,
        dtype: str = "auto",
        kv_dtype: str = "auto",
        threads: int | None = None,
    ) -> None:
        config.check_writes()
        self.pages, self.page, self.slots = room.pages, _engine.PAGE, room.slots
        self.vocab_size = config.vocab_size
        self.kernels = chosen(_engine.kinds())
        self.program = _engine.Program(self.kernels, threads or default_threads())
        kept = kept_as(kv_dtype, dtype)
        sizes = {"pages": room.pages, "slots": room.slots}
        lowered = lower(self.program, config, weights, dtype=dtype, kept=kept, **sizes)
        self._logits, self._products, self._states = lowered.made, lowered.products, lowered.states
        self._names = config.names
        self._adapters: dict[str, Adapter] = {}
        self._numbers: dict[str, int] = {}  # of adapters, as the program knows them
        self._number = count()

    @classmethod
    def load(
        cls,
        base: Artifact,
        *,
        memory: int,
        dtype: str = "auto",
        kv_dtype: str = "auto",
        threads: int | None = None,
    ) -> NativeExecutor:
        """As `open_executor` says."""
        config, weights = open_model(base)
        room = room_within(memory, config, token_bytes(config, kept_as(kv_dtype, dtype)))
        return cls(config, weights, room=room, dtype=dtype, kv_dtype=kv_dtype, threads=threads)

    def shapes(self) -> dict[str, tuple[int, int]]:
        """The matrices that an adapter may change, [out, in] by their names."""
        return {
            part.name: (len(part.places), product.inputs)
            for product in self._products
            for part in product.parts
        }

    def copy_states(self, copies: Sequence[tuple[int, int]]) -> None:
        """As `Executor` says."""
        for source, target in copies:
            for state in self._states:
                state.copy(source, target)

    def read_adapter(self, artifact: Artifact, name: str) -> Adapter:
        """As `Executor` says."""
        pairs = read_adapter(artifact, name, self._names, self.shapes())
        if any(pair.magnitude is not None for pair in pairs.values()):
            raise UsageError(
                f"{name} is a DoRA adapter, which scales what the model's own matrices make, and "
                "this executor has no kernel for that: start the engine with `--executor torch`, "
                "or serve a merged model (`hearth models merge`)."
            )
        return self.pack_adapter(name, {path: (pair.a, pair.b) for path, pair in pairs.items()})

    def pack_adapter(self, name: str, pairs: Pairs) -> Adapter:
        """An adapter of A [rank, in] and B [out, rank], already scaled, by the name of the matrix
        that they belong to.

        Raises:
            UsageError: it was made for a model with other layers.
            CorruptArtifact: a weight is not a finite number.
        """
        for path, pair in pairs.items():
            if not all(np.isfinite(matrix).all() for matrix in pair):
                raise CorruptArtifact(
                    f"Adapter {name} has a weight that is no finite number, for {path}: import or "
                    "train it again."
                )
        if strange := pairs.keys() - self.shapes().keys():
            raise UsageError(f"Adapter {name} is for layers that this model lacks: {min(strange)}.")
        return pack_pairs(self._products, pairs)

    def attach(self, name: str, adapter: Adapter) -> None:
        """As `Executor` says."""
        self.program.make_room(adapter.rank)
        self._adapters[name], self._numbers[name] = adapter, next(self._number)
        adapter.attach(self._numbers[name])

    def detach(self, name: str) -> None:
        """As `Executor` says."""
        self._adapters.pop(name).detach(self._numbers.pop(name))

    def step(self, works: Sequence[Work]) -> np.ndarray:
        """Compute all works; fp32 logits [sum of wanted, vocab_size], in their order."""
        assert not self._states or all(work.slot is not None for work in works), "slots are needed"
        return run(self.program, self._logits, works, self._numbers)[:, : self.vocab_size]


def run(program: Any, made: Any, works: Sequence[Work], adapters: Mapping[str, int]) -> np.ndarray:
    """What a program's buffer holds of the wanted rows after a step, [sum of wanted, width]."""
    ends = np.cumsum([len(work.tokens) for work in works])
    wanted = [range(e - w.wanted, e) for e, w in zip(ends.tolist(), works, strict=True)]
    values: np.ndarray = program.run(
        made,
        _int32(chain.from_iterable(work.tokens for work in works)),
        _int32(len(work.tokens) for work in works),
        _int32(work.place for work in works),
        _int32(chain.from_iterable(work.pages for work in works)),
        _int32(len(work.pages) for work in works),
        _int32(NONE if work.slot is None else work.slot for work in works),
        _int32(adapters[work.adapter] if work.adapter else NONE for work in works),
        _int32(chain.from_iterable(wanted)),
    )
    return values


def _int32(values: object) -> np.ndarray:
    return np.fromiter(values, np.int32)  # type: ignore[call-overload]
