"""The native executor: works in, logits out, one call for a whole ragged batch."""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import chain, count

import numpy as np

from openhearth.data.executors import default_threads
from openhearth.errors import MissingExtra, UsageError
from openhearth.inference.executor import Work
from openhearth.inference.native import _engine
from openhearth.inference.native.adapters import Pairs, adapt
from openhearth.inference.native.lowering import lower
from openhearth.models.config import ModelConfig
from openhearth.models.weights import Weights

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
    """A model with `pages` pages of keys and values, in 16 bits or by `kv` in fp32.

    `bits` is the format of the weights: int4, int4-min, int8, bf16, fp32, or `auto`, as few bits as
    keep what the file says.

    Raises:
        MissingExtra: the extension was not built.
        UsageError: a layer or a size has no kernel.
        CorruptArtifact: a weight is missing or damaged.
    """

    def __init__(
        self,
        config: ModelConfig,
        weights: Weights,
        *,
        pages: int,
        threads: int | None = None,
        bits: str = "auto",
        kv: str = "fp16",
    ) -> None:
        if _engine is None:
            raise MissingExtra("a C++ compiler at install", "torch")
        self.pages, self.page, self.vocab_size = pages, _engine.PAGE, config.vocab_size
        self.kernels = choose_kernels()
        self._program = _engine.Program(self.kernels, threads or default_threads())
        self._logits, self._slots = lower(
            self._program,
            config,
            weights,
            bits=bits,
            kv=kv,
            pages=pages,
            context=config.context_length,
        )

        self._adapters: dict[str, int] = {}
        self._number = count()

    def add_adapter(self, name: str, pairs: Pairs) -> None:
        """Let rows use an adapter: A [rank, in] and B [out, rank], already scaled, by the name of
        the matrix that they belong to.

        Raises:
            UsageError: it was made for a model of another size.
        """
        known = {part.name for slot in self._slots for part in slot.parts}
        if strange := pairs.keys() - known:
            raise UsageError(f"Adapter {name} is for layers that this model lacks: {min(strange)}.")
        number = next(self._number)
        self._program.make_room(adapt(self._slots, number, pairs))
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
        logits = self._program.run(
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
