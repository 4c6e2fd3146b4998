"""The native encoder: texts in, hidden states out, one call for a whole ragged batch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from openhearth.data.executors import default_threads
from openhearth.inference.encoder import MOST_TOKENS, Encoder, Text, pages_of
from openhearth.inference.executor import PAGE, Work
from openhearth.inference.native import _engine
from openhearth.inference.native.executor import run
from openhearth.inference.native.memory import kept_as
from openhearth.inference.native.program import lower
from openhearth.models.config import ModelConfig
from openhearth.models.isa import chosen
from openhearth.models.load import open_model
from openhearth.models.weights import Weights
from openhearth.store import Artifact


class NativeEncoder(Encoder):
    """An encoder as a program. `dtype` is as in `NativeExecutor`, but `auto` is eight bits.

    Raises:
        UsageError: a layer or a size has no kernel, or the model is no encoder.
        CorruptArtifact: a weight is missing or damaged.
    """

    def __init__(
        self,
        config: ModelConfig,
        weights: Weights,
        *,
        dtype: str = "auto",
        threads: int | None = None,
    ) -> None:
        config.check_encodes()
        super().__init__(config)
        self._program = _engine.Program(chosen(_engine.kinds()), threads or default_threads())
        pages = -(-max(MOST_TOKENS, config.context_length) // PAGE)
        dtype = "int8" if dtype == "auto" else dtype
        kept = kept_as("auto", dtype)
        self._states = lower(
            self._program, config, weights, dtype=dtype, kept=kept, pages=pages, slots=0
        ).made

    @classmethod
    def load(
        cls, base: Artifact, *, dtype: str = "auto", threads: int | None = None
    ) -> NativeEncoder:
        """As `open_encoder` says."""
        return cls(*open_model(base), dtype=dtype, threads=threads)

    def _step(self, texts: Sequence[Text]) -> np.ndarray:
        ends = np.cumsum([pages_of(text) for text in texts]).tolist()
        works = [
            Work(text, 0, range(begin, end), wanted=len(text))
            for text, begin, end in zip(texts, [0, *ends], ends, strict=False)
        ]
        return run(self._program, self._states, works, {})
