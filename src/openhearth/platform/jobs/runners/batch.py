"""Jobs of the kind `batch`: every line is asked of the gateway, as its owner would ask.

A line's request has the same id in every attempt, under which the ledger charges once. Its answer
is on the disk before the next is asked for, so an attempt asks only what no earlier one knows.
"""

from __future__ import annotations

import threading
from collections import Counter
from pathlib import Path
from typing import Any

import orjson

from openhearth.platform.batches.asked import Line, lines_of
from openhearth.platform.jobs.gateway import Answer, Gateway
from openhearth.platform.jobs.runners.asking import Answers, each, kept
from openhearth.platform.jobs.task import Stopped, Task, TooLate

WORKERS = 16  # lines that are asked at once
EXPIRED = {"code": "batch_expired", "message": "The completion window ended before this line."}
USAGE = ("prompt_tokens", "completion_tokens", "input_tokens", "output_tokens")


def run(task: Task) -> dict[str, Any]:
    """Ask all lines, then hand in what was answered and what went wrong."""
    batch = _Batch(task)
    try:
        todo = (line for line in lines_of(batch.input) if str(line.number) not in batch.answers)
        each(task, todo, batch.ask, WORKERS, batch.tell)
        return batch.hand_in(task.gateway)
    except Stopped as stopped:
        # Whoever cancels wants what is there; whoever is to go on will hand in all of it.
        if stopped.cancelled:
            task.save(batch.hand_in(task.gateway.unhurried()))
        raise


class _Batch:
    """The lines of a task, and what is known of them."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._asked = task.payload["asked"]
        self.input = Path(task.payload["input"])
        self.answers = Answers(task.work / "answers.jsonl")
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._handed_in = False  # and what is answered later comes too late
        for line in lines_of(self.input):
            if (name := str(line.number)) in self.answers:
                self._count(self.answers[name])

    def ask(self, line: Line) -> None:
        """Ask for one line, unless its time is over."""
        name = f"batch_req_{self._task.id.removeprefix('batch_')}_{line.number}"
        row: dict[str, Any] = {"id": name, "custom_id": line.custom_id}
        body = {"model": self._asked.get("model_id")} | line.body
        try:
            answer = self._task.gateway.post(self._asked["endpoint"], body, str(line.number))
            row |= {"response": _response(answer), "error": None}
        except TooLate:
            row |= {"response": None, "error": EXPIRED}
        with self._lock:
            if not self._handed_in:
                self.answers[str(line.number)] = row
                self._count(row)

    def tell(self) -> None:
        """Say how far it is."""
        with self._lock:
            counts = dict(self._counts)
        self._task.save(counts)

    def hand_in(self, gateway: Gateway) -> dict[str, Any]:
        """The counts, and the files, each in the order of the lines."""
        with self._lock:
            self._handed_in = True
        with self._task.busy():
            good = self._write("output", gateway, wanted=True)
            bad = self._write("error", gateway, wanted=False)
        counts = self._counts
        usage = {name: counts[name] for name in USAGE if counts[name]}
        return {
            "completed": counts["completed"],
            "failed": counts["failed"],
            "expired": counts["expired"] > 0,
            "output_file": good,
            "error_file": bad,
            "usage": _usage(usage),
        }

    def _write(self, name: str, gateway: Gateway, wanted: bool) -> str | None:
        path = self._task.work / f"{self._task.id}_{name}.jsonl"
        with path.open("wb") as file:
            for line in lines_of(self.input):
                if (number := str(line.number)) in self.answers:
                    row = self.answers[number]
                    if _is_good(row) is wanted:
                        file.write(orjson.dumps(row) + b"\n")
        return kept(gateway, path, f"batch_{name}") if path.stat().st_size else None

    def _count(self, row: dict[str, Any]) -> None:
        usage = row["response"]["body"].get("usage") or {} if _is_good(row) else {}
        self._counts["completed" if _is_good(row) else "failed"] += 1
        self._counts["expired"] += row["error"] == EXPIRED
        self._counts.update({name: usage[name] for name in USAGE if usage.get(name)})


def _response(answer: Answer) -> dict[str, Any]:
    return {
        "status_code": answer.status,
        "request_id": answer.request_id,
        "body": answer.body,
    }


def _is_good(row: dict[str, Any]) -> bool:
    return row["response"] is not None and row["response"]["status_code"] < 300


def _usage(usage: dict[str, int]) -> dict[str, Any]:
    """All tokens in OpenAI's words."""
    entered = usage.get("prompt_tokens", 0) + usage.get("input_tokens", 0)
    left = usage.get("completion_tokens", 0) + usage.get("output_tokens", 0)
    return {
        "input_tokens": entered,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": left,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": entered + left,
    }
