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
from typing import Any, NamedTuple

from openhearth.errors import HearthError
from openhearth.inference.executor import Executor, SizedAdapter
from openhearth.inference.request import BadAdapter, EngineBusy
from openhearth.store import Artifact

Find = Callable[[], Artifact]
BetweenSteps = Callable[[Callable[[], Any]], Any]  # calls a function by the engine's thread


class Resident(NamedTuple):
    """An adapter in memory: what it takes, and the artifact that it was read from."""

    bytes: int
    digest: str


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
        self._here: OrderedDict[str, Resident] = OrderedDict()  # least recently used first
        self._users: Counter[str] = Counter()
        self._coming: dict[str, Future[str]] = {}

    def add(self, name: str, find: Find) -> None:
        """A further one, which may be asked for from now on."""
        self._found[name] = find

    def is_here(self, name: str) -> bool:
        """Whether it is in memory."""
        return name in self._here

    def hold(self, name: str) -> str:
        """Bring an adapter into memory, if it is not there, and keep it there until `release`.

        Returns the digest of the artifact that it was read from: another one, if the adapter was
        rewritten since it was last read.

        Raises:
            BadAdapter: it is damaged, or was made for another model.
            EngineBusy: others, all in use, take the memory.
        """
        with self._lock:
            self._users[name] += 1
            if name in self._here:
                self._here.move_to_end(name)
                return self._here[name].digest
            first = name not in self._coming
            coming = self._coming.setdefault(name, Future())
        if first:
            self._bring(name, coming)
        try:
            return coming.result()
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

    def _bring(self, name: str, coming: Future[str]) -> None:
        try:
            adapter, digest = self._read(name)
            self._between_steps(lambda: self._attach(name, adapter, digest))
        except BaseException as error:  # handed to all who wait for it
            coming.set_exception(error)
        else:
            coming.set_result(digest)
        finally:
            with self._lock:
                del self._coming[name]

    def _read(self, name: str) -> tuple[SizedAdapter, str]:
        executor = self._open()
        try:
            artifact = self._found[name]()
            return executor.read_adapter(artifact, name), artifact.digest
        except HearthError as error:
            raise BadAdapter(str(error)) from error

    def _attach(self, name: str, adapter: SizedAdapter, digest: str) -> None:
        with self._lock:
            executor = self._open()
            for idle in self._idle(adapter.bytes):
                executor.detach(idle)
                del self._here[idle]
            executor.attach(name, adapter)
            self._here[name] = Resident(adapter.bytes, digest)

    def _open(self) -> Executor:
        if self._executor is None:
            raise EngineBusy("The engine is closing: send the request again later.")
        return self._executor

    def _idle(self, wanted: int) -> list[str]:
        """Those to leave, so that there is room."""
        excess = sum(one.bytes for one in self._here.values()) + wanted - self._memory
        leaving = []
        for name, one in self._here.items():
            if excess > 0 and not self._users[name]:
                leaving.append(name)
                excess -= one.bytes
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
