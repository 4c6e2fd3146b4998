"""Jobs of the kind `evaluation`: each row is answered, if a model is to answer it, and judged.

Every request has a name of its row and its part, the same in every attempt: what has an answer is
not asked again, and nothing is charged twice.
"""

from __future__ import annotations

import resource
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean, pstdev
from typing import Any

import orjson

from openhearth.errors import UsageError
from openhearth.platform.evaluations import judging
from openhearth.platform.evaluations.templates import render
from openhearth.platform.jobs.runners.asking import Answers, each, kept
from openhearth.platform.jobs.task import Task, TooLate

WORKERS = 16  # rows that are asked about at once, at most
MOST_MEMORY = 4 * 2**30  # bytes, so that no template takes all there is
TOO_LATE = "The time in which an evaluation may ask was over."
Row = dict[str, Any]


class _Failed(Exception):
    """A model gave no answer."""


def run(task: Task) -> dict[str, Any]:
    """Judge all rows."""
    resource.setrlimit(resource.RLIMIT_DATA, (MOST_MEMORY, resource.RLIM_INFINITY))
    evaluation = _Evaluation(task)
    workers = min(WORKERS, evaluation.parameters["judge"].get("num_workers") or WORKERS)
    each(task, evaluation.rows(), evaluation.look_at, workers, evaluation.tell)
    return evaluation.results()


class _Evaluation:
    """The rows of a task, and what is known of them."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self.kind = task.payload["type"]
        self.parameters: dict[str, Any] = task.payload["parameters"]
        self._asked = Answers(task.work / "asked.jsonl")
        self._done = Answers(task.work / "rows.jsonl")

    def rows(self) -> Iterator[tuple[str, Row]]:
        """Those that are not judged yet, by the numbers of their lines."""
        for number, row in self._all():
            if number not in self._done:
                yield number, row

    def _all(self) -> Iterator[tuple[str, Row]]:
        with Path(self._task.payload["input"]).open("rb") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    yield str(number), orjson.loads(line)

    def look_at(self, numbered: tuple[str, Row]) -> None:
        """Have a row answered, and judged."""
        number, row = numbered
        found: Row = {}
        if time.time() > self._task.payload["deadline"]:
            self._done[number] = {"status": "generation_failed", "error": TOO_LATE}
            return
        try:
            answers = self._answers(number, row, found)
        except (_Failed, UsageError) as error:
            self._done[number] = found | {"status": "generation_failed", "error": str(error)}
            return
        try:
            found |= self._judgement(number, row, answers)
        except (_Failed, UsageError) as error:
            found |= {"status": "judge_failed", "error": str(error)}
        self._done[number] = found

    def tell(self) -> None:
        """Say how far it is."""
        self._task.save({"done": len(self._done), "total": self._task.payload["total"]})

    def _answers(self, number: str, row: Row, found: Row) -> list[str]:
        """What is to be judged, which is put into what is found of the row."""
        if self.kind != "compare":
            subject = self.parameters.get("model_to_evaluate")
            if subject is None:
                return []
            found["response"] = self._answer(f"{number}-m", row, subject)
            return [found["response"]]
        for letter in "ab":
            subject = self.parameters[f"model_{letter}"]
            found[f"response_{letter}"] = self._answer(f"{number}-{letter}", row, subject)
        return [found["response_a"], found["response_b"]]

    def _answer(self, name: str, row: Row, subject: str | dict[str, Any]) -> str:
        if isinstance(subject, str):
            if subject not in row:
                raise UsageError(f"The row has no column {subject}.")
            value = row[subject]
            return value if isinstance(value, str) else orjson.dumps(value).decode()
        system = render(subject["system_template"], row)
        user = render(subject["input_template"], row)
        return self._ask(name, judging.body(subject, system, user))

    def _judgement(self, number: str, row: Row, answers: list[str]) -> Row:
        judge = self.parameters["judge"]
        system = render(judge["system_template"], row)

        def verdict(name: str, answers: list[str]) -> tuple[Any, str] | None:
            request = judging.judged(judge, system, self.kind, self.parameters, answers)
            return judging.read(self.kind, self.parameters, self._ask(name, request))

        first = verdict(f"{number}-j", answers)
        if first is None:
            return {"status": "invalid_verdict"}
        field, _ = judging.verdict_form(self.kind, self.parameters)
        found = {"status": "ok", f"judge_{field}": first[0], "judge_feedback": first[1]}
        if self.kind != "compare":
            return found
        flipped = None
        if not self.parameters.get("disable_position_bias_correction"):
            second = verdict(f"{number}-f", answers[::-1])
            if second is None:
                return {"status": "invalid_verdict"}
            flipped = second[0]
            found |= {"judge_choice_flipped": flipped, "judge_feedback_flipped": second[1]}
        return found | {"winner": judging.reconciled(first[0], flipped)}

    def _ask(self, name: str, body: dict[str, Any]) -> str:
        """What a model says, in whichever attempt it said it."""
        if name in self._asked:
            return str(self._asked[name])
        try:
            answer = self._task.gateway.post("/v1/chat/completions", body, name)
        except TooLate as error:
            raise _Failed(TOO_LATE) from error
        if not answer.good:
            raise _Failed(answer.body["error"]["message"])
        text = answer.body["choices"][0]["message"]["content"] or ""
        self._asked[name] = text
        return str(text)

    def results(self) -> dict[str, Any]:
        """The counts, and the id of the file with every row."""
        path = self._task.work / f"{self._task.id}-results.jsonl"
        rows: list[Row] = []
        with self._task.busy():
            with path.open("wb") as file:
                for number, row in self._all():
                    rows.append(self._done[number])
                    file.write(orjson.dumps(row | self._done[number]) + b"\n")
            file_id = kept(self._task.gateway, path, "eval")
        return self._counts(rows) | {"result_file_id": file_id}

    def _counts(self, rows: list[Row]) -> dict[str, Any]:
        failed = Counter(row["status"] for row in rows)
        counts: dict[str, Any] = {
            "generation_fail_count": failed["generation_failed"],
            "judge_fail_count": failed["judge_failed"],
        }
        good = [row for row in rows if row["status"] == "ok"]
        if self.kind == "classify":
            labels = Counter(row["judge_label"] for row in good)
            passing = [row for row in good if row["judge_label"] in self.parameters["pass_labels"]]
            return counts | {
                "label_counts": {label: labels[label] for label in self.parameters["labels"]},
                "invalid_label_count": failed["invalid_verdict"],
                "pass_percentage": _percentage(len(passing), len(good)),
            }
        if self.kind == "score":
            scores = [row["judge_score"] for row in good]
            passed = sum(score >= self.parameters["pass_threshold"] for score in scores)
            return counts | {
                "aggregated_scores": {
                    "mean_score": fmean(scores) if scores else None,
                    "std_score": pstdev(scores) if scores else None,
                    "pass_percentage": _percentage(passed, len(scores)),
                },
                "invalid_score_count": failed["invalid_verdict"],
                "failed_samples": len(rows) - len(good),
            }
        winners = Counter(row["winner"] for row in good)
        counts["judge_fail_count"] += failed["invalid_verdict"]
        return counts | {
            "A_wins": winners[judging.A],
            "B_wins": winners[judging.B],
            "Ties": winners[judging.TIE],
        }


def _percentage(part: int, whole: int) -> float | None:
    return 100 * part / whole if whole else None
