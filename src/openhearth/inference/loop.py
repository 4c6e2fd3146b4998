"""The engine's thread: it loads the models, then takes steps as long as there is something to do.

One thread computes for all models, loading included: OpenMP keeps a team of threads for every
thread that it was ever used from, and once they are more than the cores, all of them wait by
sleeping, which costs a third of the speed at batch one (docs/log.md).
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from openhearth.inference.adapters import BetweenSteps
from openhearth.inference.lane import Lane
from openhearth.inference.request import EngineBusy
from openhearth.inference.sequence import Sequence
from openhearth.inference.stream import Stream, Waiting, wake

T = TypeVar("T")
Load = Callable[[BetweenSteps], list[Lane]]


class Loop:
    """Runs lanes in turn. `load` makes them, on the thread that will run them; it is given `call`,
    for later.

    Raises:
        HearthError: whatever `load` raises.
    """

    def __init__(self, load: Load) -> None:
        self._changed = threading.Condition()
        self._closing = False
        self._calls: deque[tuple[Callable[[], Any], Future[Any]]] = deque()
        self._answered: list[Waiting] = []
        loaded: Future[list[Lane]] = Future()
        self._thread = threading.Thread(
            target=self._run, args=(load, loaded), name="engine", daemon=True
        )
        self._thread.start()
        loaded.result()

    def stream(self) -> Stream:
        """A stream for a sequence. The readers of all streams are woken together after a step."""
        return Stream(self._answered.extend)

    def submit(self, lane: Lane, sequence: Sequence) -> None:
        """Queue a sequence in a lane.

        Raises:
            EngineBusy: the queue is full, or the engine is closing.
        """
        with self._changed:
            self._refuse_if_closing()
            lane.add(sequence)
            self._changed.notify()

    def call(self, function: Callable[[], T]) -> T:
        """What `function` returns or raises, called on the engine's thread between two steps.

        Raises:
            EngineBusy: the engine is closing.
        """
        done: Future[T] = Future()
        with self._changed:
            self._refuse_if_closing()
            self._calls.append((function, done))
            self._changed.notify()
        return done.result()

    def _refuse_if_closing(self) -> None:
        if self._closing:
            raise EngineBusy("The engine is closing: send the request again later.")

    def close(self) -> None:
        """End after the current step; what runs or waits ends as cancelled."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join()

    def _run(self, load: Load, loaded: Future[list[Lane]]) -> None:
        try:
            lanes = load(self.call)
        except BaseException as error:  # handed to whoever waits for the models
            loaded.set_exception(error)
            return
        loaded.set_result(lanes)
        while self._wait(lanes):
            while self._calls:
                function, done = self._calls.popleft()
                try:
                    done.set_result(function())
                except BaseException as error:  # handed to the caller
                    done.set_exception(error)
            for lane in lanes:
                self._step(lane)
                self._wake()
        self._wake()

    def _wait(self, lanes: list[Lane]) -> bool:
        """Until there is something to do; False if that is to end."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._closing or self._calls or not all(lane.idle for lane in lanes)
            )
            if not self._closing:
                return True
            for lane in lanes:
                lane.cancel_all()
            while self._calls:
                self._calls.popleft()[1].set_exception(EngineBusy("The engine is closing."))
            return False

    def _step(self, lane: Lane) -> None:
        try:
            with self._changed:
                plan = lane.plan()
            if not plan:
                return
            results = lane.compute(plan)
            with self._changed:
                lane.deliver(plan, results)
        except Exception as error:
            with self._changed:
                lane.fail(error)

    def _wake(self) -> None:
        wake(self._answered)
        self._answered.clear()
