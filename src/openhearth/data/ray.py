"""The machines of a Ray cluster do the work: each job, such as a part of a corpus, is a task of Ray
Data.

Parts, steps and forms travel to the workers; what they write must lie where all machines see it,
such as a network file system. A job with a marker is not done again, wherever it runs.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import orjson

from openhearth.data.executors import Item, Result, Threads
from openhearth.errors import HearthError, MissingExtra


class Ray:
    """A cluster: this machine (`ray`), or the one that a `ray://HOST:PORT` address names."""

    def __init__(self, address: str = "ray") -> None:
        try:
            import ray
            import ray.data
        except ModuleNotFoundError as error:
            raise MissingExtra("ray", "ray") from error
        if not ray.is_initialized():
            where = None if address == "ray" else address
            try:
                ray.init(
                    where, log_to_driver=False, include_dashboard=False, configure_logging=False
                )
            except (ConnectionError, ValueError, TimeoutError) as error:
                raise HearthError(
                    f"There is no Ray cluster at {address} ({error}): start one, or use threads."
                ) from error

    @property
    def width(self) -> int:
        """How many jobs are done at once: one on each CPU; two at least, so that the smallest
        cluster goes the way of large ones.
        """
        import ray

        return max(2, int(ray.cluster_resources().get("CPU", 0)))

    def map(self, work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """`work(item)` for each item, on this machine: what is small is not sent away."""
        return Threads().map(work, items)

    def run(self, jobs: Iterable[Any]) -> Iterator[Any]:
        """Each job as a task of its own; what they counted, in their order.

        Raises:
            HearthError: a job did.
        """
        import ray.data

        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        logging.getLogger("ray.data").setLevel(logging.WARNING)
        waiting = list(jobs)
        if not waiting:
            return
        reference = ray.put(waiting)

        def carry_out(row: dict[str, Any]) -> dict[str, Any]:
            try:
                done, code = ray.get(reference)[row["id"]].run(Threads(1)), 0
            except HearthError as error:  # which Ray would bury in one of its own
                done, code = str(error), error.exit_code
            return {"id": row["id"], "done": orjson.dumps(done), "code": code}

        # A block a job, so that jobs are what workers share; order is restored here.
        tasks = ray.data.range(len(waiting), override_num_blocks=len(waiting)).map(carry_out)
        found: dict[int, bytes] = {}
        following = 0
        for row in tasks.iter_rows():
            if row["code"]:
                raise _error(orjson.loads(row["done"]), row["code"])
            found[row["id"]] = row["done"]
            while following in found:
                yield orjson.loads(found.pop(following))
                following += 1


def _error(text: str, code: int) -> HearthError:
    error = HearthError(text)
    error.exit_code = code
    return error


def open_executor(on: str = "threads", threads: int | None = None) -> Any:
    """What a command runs on: `threads`, `ray`, or a `ray://` address.

    Raises:
        MissingExtra: Ray is not installed.
        HearthError: there is no such cluster.
    """
    return Threads(threads) if on == "threads" else Ray(on)
