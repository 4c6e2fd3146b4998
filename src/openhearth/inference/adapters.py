"""Which adapters of a base model are in memory: read when first asked for, the idle ones leave.

An adapter is read and checked by the thread that asks for it, and attached by the engine's between
two steps: requests that run lose nothing by it. What is wrong with an adapter is the error of
whoever asked for it.
"""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any

from openhearth.errors import HearthError
from openhearth.inference.executor import Executor, SizedAdapter
from openhearth.inference.request import BadAdapter, EngineBusy
from openhearth.store import Artifact

Find = Callable[[], Artifact]
BetweenSteps = Callable[[Callable[[], Any]], Any]  # calls a function by the engine's thread


class Adapters:
    """The adapters of one executor, by name; at most `memory` bytes of them at a time.

    May be used from any thread.
    """

    def __init__(
        self,
        executor: Executor,
        found: Mapping[str, Find],
        *,
        memory: int,
        between_steps: BetweenSteps,
    ) -> None:
        self._executor: Executor | None = executor
        self._found = dict(found)
        self._memory = memory
        self._between_steps = between_steps
        self._lock = threading.Lock()
        self._bytes: OrderedDict[str, int] = OrderedDict()  # of those in memory, least used first
        self._users: Counter[str] = Counter()
        self._coming: dict[str, Future[None]] = {}

    def is_here(self, name: str) -> bool:
        """Whether it is in memory."""
        return name in self._bytes

    def hold(self, name: str) -> None:
        """Bring an adapter into memory, if it is not there, and keep it there until `release`.

        Raises:
            BadAdapter: it is damaged, or was made for another model.
            EngineBusy: others, all in use, take the memory.
        """
        with self._lock:
            self._users[name] += 1
            if name in self._bytes:
                self._bytes.move_to_end(name)
                return
            first = name not in self._coming
            coming = self._coming.setdefault(name, Future())
        if first:
            self._bring(name, coming)
        try:
            coming.result()
        except BaseException:
            self.release(name)
            raise

    def release(self, name: str) -> None:
        """One user less."""
        with self._lock:
            self._users[name] -= 1

    def close(self) -> None:
        """Let go of the executor; nothing more is brought in."""
        with self._lock:
            self._executor = None

    def _bring(self, name: str, coming: Future[None]) -> None:
        try:
            adapter = self._read(name)
            self._between_steps(lambda: self._attach(name, adapter))
        except BaseException as error:  # handed to all who wait for it
            coming.set_exception(error)
        else:
            coming.set_result(None)
        finally:
            with self._lock:
                del self._coming[name]

    def _read(self, name: str) -> SizedAdapter:
        executor = self._open()
        try:
            return executor.read_adapter(self._found[name](), name)
        except HearthError as error:
            raise BadAdapter(str(error)) from error

    def _attach(self, name: str, adapter: SizedAdapter) -> None:
        with self._lock:
            executor = self._open()
            for idle in self._idle(adapter.bytes):
                executor.detach(idle)
                del self._bytes[idle]
            executor.attach(name, adapter)
            self._bytes[name] = adapter.bytes

    def _open(self) -> Executor:
        if self._executor is None:
            raise EngineBusy("The engine is closing: send the request again later.")
        return self._executor

    def _idle(self, wanted: int) -> list[str]:
        """Those to leave, so that there is room."""
        excess = sum(self._bytes.values()) + wanted - self._memory
        leaving = []
        for name, size in self._bytes.items():
            if excess > 0 and not self._users[name]:
                leaving.append(name)
                excess -= size
        if wanted > self._memory:
            raise BadAdapter(
                f"The adapter takes {wanted:,} bytes, but all may take only {self._memory:,}: "
                "start the engine with more adapter_memory."
            )
        if excess > 0:
            raise EngineBusy(
                f"The adapters in use leave no room for another of {wanted:,} bytes: ask again "
                "later, or start the engine with more adapter_memory."
            )
        return leaving
