"""What computes a step: the interface between the scheduler and a model's arithmetic.

An executor knows pages and tokens, nothing of requests; the scheduler nothing of weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from openhearth.errors import UsageError
from openhearth.store import Artifact

PAGE = 32  # tokens
KINDS = ("auto", "native", "torch")
ELSEWHERE = ("remote", "vllm", "sglang", "llama-server")  # who computes is another server


@dataclass(frozen=True)
class Work:
    """Tokens of one sequence to compute; the logits of the last `wanted` of them are to come.

    The first is at `place` in its sequence, whose keys and values lie in `pages`. `adapter` is the
    name of one, None for the base model.
    """

    tokens: Sequence[int]
    place: int
    pages: Sequence[int]
    adapter: str | None = None
    wanted: int = 1


class SizedAdapter(Protocol):
    """An adapter as one executor wants it."""

    @property
    def bytes(self) -> int:
        """What it takes of memory."""
        ...


class Executor(Protocol):
    """A model with room for the keys and values of `pages` times `page` tokens."""

    page: int
    pages: int
    vocab_size: int
    program: Any  # an `openhearth._engine.Program`, whose threads sample too; or None

    def step(self, works: Sequence[Work]) -> np.ndarray:
        """Compute all works; fp32 logits [sum of wanted, vocab_size], in the order of the works."""
        ...

    def read_adapter(self, artifact: Artifact, name: str) -> SizedAdapter:
        """A stored adapter, checked and ready to be attached; by any thread, also during a step.

        Raises:
            UsageError: it was made for another model, or is of a kind that we do not have.
            CorruptArtifact: its files are damaged.
        """
        ...

    def attach(self, name: str, adapter: Any) -> None:
        """Let works use what `read_adapter` gave; only between two steps."""
        ...

    def detach(self, name: str) -> None:
        """Forget an adapter that no work uses any more; only between two steps."""
        ...


def open_executor(
    kind: str,
    base: Artifact,
    *,
    memory: int,
    dtype: str = "auto",
    kv_dtype: str = "auto",
    threads: int | None = None,
) -> Executor:
    """A model in memory, without adapters yet, and at most `memory` bytes of pages.

    `kind` is `native`, `torch` (the reference), or `auto`: native, if it was built and has kernels
    for all that the model needs. `dtype` is `auto`, `float32` or `bfloat16`, of the native one also
    `int8`, `int4-min`, `int4-head8` or `int4`. `kv_dtype` is that of keys and values: `auto`, of
    the native one also `float32`, `int16` or `int8`.

    Raises:
        UsageError: there is no such kind or type, or not even one page fits the memory.
        CorruptArtifact: weights are damaged.
    """
    if kind not in KINDS:
        known = ", ".join(KINDS + ELSEWHERE)
        raise UsageError(f"There is no executor {kind!r}: use one of {known}.")
    settings: dict[str, Any] = {"memory": memory, "dtype": dtype, "threads": threads}
    if kind != "torch":
        from openhearth.inference.native import NoKernel, load

        try:
            return load(base, kv_dtype=kv_dtype, **settings)
        except NoKernel:
            if kind == "native":
                raise
    if kv_dtype != "auto":
        raise UsageError(
            f"kv_dtype is {kv_dtype!r}, but the torch executor keeps keys and values as it "
            "computes them: leave it at auto."
        )
    from openhearth.inference.torch_executor import TorchExecutor

    return TorchExecutor.load(base, **settings)


def pages_within(memory: int, token_bytes: int) -> int:
    """How many pages fit `memory` bytes when a token takes `token_bytes`.

    Raises:
        UsageError: not even one.
    """
    pages = memory // (token_bytes * PAGE)
    if pages < 1:
        raise UsageError(
            f"The memory for keys and values is {memory:,} bytes, but a page of {PAGE} tokens "
            f"takes {token_bytes * PAGE:,}: give it more."
        )
    return pages
