"""What computes a step: the interface between the scheduler and a model's arithmetic.

An executor knows pages and tokens, nothing of requests; the scheduler nothing of weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from openhearth.errors import UsageError
from openhearth.models.config import ModelConfig
from openhearth.store import Artifact

PAGE = 32  # tokens
MOST_SLOTS = 1024
KINDS = ("auto", "native", "torch")
ELSEWHERE = ("remote", "vllm", "sglang", "llama-server")  # who computes is another server


@dataclass(frozen=True)
class Work:
    """Tokens of one sequence to compute; the logits of the last `wanted` of them are to come.

    The first is at `place` in its sequence, whose keys and values lie in `pages`, and whose
    recurrent state, if the model has such mixers, in `slot`. `adapter` is the name of one, None for
    the base model.
    """

    tokens: Sequence[int]
    place: int
    pages: Sequence[int]
    adapter: str | None = None
    wanted: int = 1
    slot: int | None = None


class SizedAdapter(Protocol):
    """An adapter as one executor wants it."""

    @property
    def bytes(self) -> int:
        """What it takes of memory."""
        ...


class Executor(Protocol):
    """A model with room for the keys and values of `pages` times `page` tokens, and for the
    recurrent states of `slots` sequences, 0 if it has no mixers that need them.
    """

    page: int
    pages: int
    slots: int
    vocab_size: int
    program: Any  # an `openhearth._engine.Program`, whose threads sample too; or None

    def step(self, works: Sequence[Work]) -> np.ndarray:
        """Compute all works; fp32 logits [sum of wanted, vocab_size], in the order of the works."""
        ...

    def copy_states(self, copies: Sequence[tuple[int, int]]) -> None:
        """Copy recurrent states from slots to slots, one after the other; only between steps."""
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
    """A model in memory, without adapters yet, and at most `memory` bytes of pages and states.

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


@dataclass(frozen=True)
class Room:
    """How many pages and slots a memory holds."""

    pages: int
    slots: int = 0


def room_within(memory: int, config: ModelConfig, token_bytes: int) -> Room:
    """What fits `memory` bytes when the keys and values of a token take `token_bytes`.

    If there are recurrent states too, up to half of the memory is for them. Without keys and
    values pages cost nothing, and there are enough for the longest texts.

    Raises:
        UsageError: not even one page and one state.
    """
    page_bytes, state_bytes = token_bytes * PAGE, config.state_numbers * 4
    slots = pages = 0
    if state_bytes:
        share = memory // 2 if page_bytes else memory
        slots = min(MOST_SLOTS, max(1, share // state_bytes))
    if page_bytes:
        pages = (memory - slots * state_bytes) // page_bytes
    else:
        pages = slots * -(-config.context_length // PAGE)
    if pages < 1 or slots * state_bytes > memory:
        needs = f"a page of {PAGE} tokens takes {page_bytes:,}" if page_bytes else ""
        state = f"the state of a sequence takes {state_bytes:,}" if state_bytes else ""
        raise UsageError(
            f"The memory for keys and values is {memory:,} bytes, but "
            f"{' and '.join(filter(None, [needs, state]))}: give it more."
        )
    return Room(pages, slots)
