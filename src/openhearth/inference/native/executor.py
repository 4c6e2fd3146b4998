"""The native executor: works in, logits out, one call for a whole ragged batch."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from itertools import chain, count

import numpy as np
import torch

from openhearth.data.executors import default_threads
from openhearth.errors import CorruptArtifact, UsageError
from openhearth.inference.executor import Work, pages_within
from openhearth.inference.native import _engine
from openhearth.inference.native.adapters import Pairs, adapt
from openhearth.inference.native.lowering import lower
from openhearth.models import read_adapter
from openhearth.models.attention import KeyValues
from openhearth.models.config import ModelConfig
from openhearth.models.load import open_model
from openhearth.models.weights import Weights
from openhearth.store import Artifact

NONE = -1  # as the number of an adapter
ISA = "OPENHEARTH_ISA"  # forces a kind of kernels: portable, avx2 or avx512


def choose_kernels() -> str:
    """The best kind for this processor, or the one that the environment asks for.

    Raises:
        UsageError: this processor does not have it.
    """
    kinds = _engine.kinds()
    asked = os.environ.get(ISA, kinds[0])
    if asked not in kinds:
        raise UsageError(f"{ISA} is {asked!r}, but this processor has {', '.join(kinds)}.")
    return asked


class NativeExecutor:
    """A model with `pages` pages of keys and values.

    `dtype` is that of the weights: int4, int4-min, int8, bfloat16, float32, or `auto`, as few bits
    as keep what the file says. Keys and values have 16 bits, by `float32` 32.

    Raises:
        UsageError: a layer or a size has no kernel.
        CorruptArtifact: a weight is missing or damaged.
    """

    def __init__(
        self,
        config: ModelConfig,
        weights: Weights,
        *,
        pages: int,
        dtype: str = "auto",
        threads: int | None = None,
    ) -> None:
        self.pages, self.page, self.vocab_size = pages, _engine.PAGE, config.vocab_size
        self.kernels = choose_kernels()
        self.program = _engine.Program(self.kernels, threads or default_threads())
        self._logits, self._slots = lower(
            self.program, config, weights, dtype=dtype, pages=pages, context=config.context_length
        )
        self._adapters: dict[str, int] = {}
        self._number = count()

    @classmethod
    def load(
        cls,
        base: Artifact,
        adapters: Mapping[str, Artifact],
        *,
        memory: int,
        dtype: str = "auto",
        threads: int | None = None,
    ) -> NativeExecutor:
        """As `open_executor` says."""
        config, weights = open_model(base)
        number = torch.float32 if dtype == "float32" else torch.float16
        token = sum(KeyValues.bytes_per_token(block.mixer, number) for block in config.blocks)
        pages = pages_within(memory, token)
        executor = cls(config, weights, pages=pages, dtype=dtype, threads=threads)
        for name, adapter in adapters.items():
            pairs, scale = read_adapter(adapter, name, config.family, executor.shapes())
            scaled = {path: (a.float(), b.float() * scale) for path, (a, b) in pairs.items()}
            executor.add_adapter(name, {p: (a.numpy(), b.numpy()) for p, (a, b) in scaled.items()})
        return executor

    def shapes(self) -> dict[str, tuple[int, int]]:
        """The matrices that an adapter may change, [out, in] by their names."""
        return {
            part.name: (len(part.places), slot.linear.matrix.shape[1])
            for slot in self._slots
            for part in slot.parts
        }

    def add_adapter(self, name: str, pairs: Pairs) -> None:
        """Let rows use an adapter: A [rank, in] and B [out, rank], already scaled, by the name of
        the matrix that they belong to.

        Raises:
            UsageError: it was made for a model of another size.
            CorruptArtifact: a weight is not a finite number.
        """
        if strange := pairs.keys() - self.shapes().keys():
            raise UsageError(f"Adapter {name} is for layers that this model lacks: {min(strange)}.")
        for path, pair in pairs.items():
            if not all(np.isfinite(matrix).all() for matrix in pair):
                raise CorruptArtifact(
                    f"Adapter {name} has a weight that is no finite number, for {path}: import or "
                    "train it again."
                )
        number = next(self._number)
        self.program.make_room(adapt(self._slots, number, pairs))
        self._adapters[name] = number

    def remove_adapter(self, name: str) -> None:
        """Forget an adapter that no row uses any more."""
        number = self._adapters.pop(name)
        for slot in self._slots:
            slot.linear.forget(number)

    def step(self, works: Sequence[Work]) -> np.ndarray:
        """Compute all works; fp32 logits [sum of wanted, vocab_size], in their order."""
        ends = np.cumsum([len(work.tokens) for work in works])
        wanted = [range(e - w.wanted, e) for e, w in zip(ends.tolist(), works, strict=True)]
        logits = self.program.run(
            self._logits,
            _int32(chain.from_iterable(work.tokens for work in works)),
            _int32(len(work.tokens) for work in works),
            _int32(work.place for work in works),
            _int32(chain.from_iterable(work.pages for work in works)),
            _int32(len(work.pages) for work in works),
            _int32(self._adapters[w.adapter] if w.adapter else NONE for w in works),
            _int32(chain.from_iterable(wanted)),
        )
        return logits[:, : self.vocab_size]


def _int32(values: object) -> np.ndarray:
    return np.fromiter(values, np.int32)  # type: ignore[call-overload]
