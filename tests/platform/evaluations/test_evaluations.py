"""Evaluations by Together's client, judged by an engine whose verdicts are known."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import together

from openhearth.inference.request import Delta, Request
from openhearth.platform import Keys
from tests.platform.area import Caller
from tests.platform.conftest import ByteTokenizer, FakeEngine, FakeStream
from tests.platform.place import Place, place

Upload = Callable[..., str]
ROWS = [{"question": f"What is {n}?", "said": "good" if n % 3 else "bad"} for n in range(9)]
JUDGE = {
    "model": "tiny",
    "model_source": "serverless",
    "system_template": "Judge the answer to {{ question }}",
}


@dataclass
class Said(FakeStream):
    """Says a text."""

    text: str = ""

    def __iter__(self) -> Iterator[Delta]:
        tokens = tuple(self.text.encode())
        self.steps = len(tokens)
        yield Delta(self.text, tokens, (), "stop", self._usage())


class Judge(FakeEngine):
    """Answers with `good` what is no verdict; of verdicts it gives what the answer itself says, or
    always the first of two. Whoever asks about 5 gets nonsense.
    """

    pace = 0.0

    def submit(self, request: Request) -> FakeStream:
        asked = ByteTokenizer().decode(request.prompt)
        time.sleep(self.pace)
        stream = Said(request, text=self._say(asked))
        self.streams.append(stream)
        return stream

    def _say(self, asked: str) -> str:
        if "Reply in JSON" not in asked:
            return "good"
        if "is 5?" in asked:
            return "nonsense"
        good = "nswer:\ngood" in asked
        if "`label`" in asked:
            return json.dumps({"feedback": "so", "label": "good" if good else "bad"})
        if "`score`" in asked:
            return json.dumps({"feedback": "so", "score": 8 if good else 2})
        return json.dumps({"feedback": "so", "choice": "A" if "A:\ngood" in asked else "B"})


@pytest.fixture
def engine() -> Judge:
    return Judge()


@pytest.fixture
def there(engine: Judge, keys: Keys, tmp_path: Path) -> Iterator[Place]:
    with place(engine, tmp_path / "home", keys) as made:
        yield made


@pytest.fixture
def data(there: Place, tmp_path: Path) -> str:
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return there.upload(path, "evals")


def rows(there: Place, file: str | None) -> list[dict[str, Any]]:
    assert file is not None
    return [json.loads(line) for line in there.together().files.content(file).read().splitlines()]


def test_classify_a_column(there: Place, data: str) -> None:
    client = there.together()
    parameters = {
        "judge": JUDGE,
        "labels": ["good", "bad"],
        "pass_labels": ["good"],
        "input_data_file_path": data,
        "model_to_evaluate": "said",
    }
    made = client.evals.create(type="classify", parameters=parameters)
    assert made.status == "pending"
    assert made.workflow_id is not None
    assert client.evals.status(made.workflow_id).status == "queued"
    there.worker()
    there.until(made.workflow_id)
    raw = there.jobs.find(made.workflow_id)
    assert raw is not None
    assert raw.result is not None
    file = raw.result["result_file_id"]
    assert raw.result == {
        "generation_fail_count": 0,
        "judge_fail_count": 0,
        "invalid_label_count": 1,
        "label_counts": {"good": 5, "bad": 3},
        "pass_percentage": 100 * 5 / 8,
        "result_file_id": file,
    }
    found = rows(there, file)
    assert [row["question"] for row in found] == [row["question"] for row in ROWS]
    assert found[5]["status"] == "invalid_verdict"
    assert (found[0]["judge_label"], found[0]["judge_feedback"]) == ("bad", "so")
    loose = together.Together(base_url=there.url, api_key=there.key("proj_a"))
    assert loose.evals.status(made.workflow_id).status == "completed"
    (listed,) = loose.evals.list(status="completed")
    assert listed.workflow_id == made.workflow_id
    assert loose.evals.list(status="error") == []
    loose.close()


def test_score_what_a_model_says(there: Place, data: str) -> None:
    subject = JUDGE | {
        "input_template": "{{ question }}",
        "system_template": "Be short.",
        "max_tokens": 8,
        "temperature": 0,
    }
    parameters = {
        "judge": JUDGE,
        "min_score": 0,
        "max_score": 10,
        "pass_threshold": 5,
        "input_data_file_path": data,
        "model_to_evaluate": subject,
    }
    client = there.together()
    made = client.evals.create(type="score", parameters=parameters)
    there.worker()
    there.until(made.workflow_id or "")
    results = client.evals.retrieve(made.workflow_id or "").results
    assert results is not None
    scores = results.aggregated_scores
    assert (scores.mean_score, scores.std_score, scores.pass_percentage) == (8, 0, 100)
    assert (results.failed_samples, results.invalid_score_count) == (1, 1)
    assert {row.get("response") for row in rows(there, results.result_file_id)} == {"good"}


def test_compare_in_both_orders(there: Place, data: str, engine: Judge) -> None:
    parameters = {
        "judge": JUDGE,
        "input_data_file_path": data,
        "model_a": JUDGE | {"input_template": "{{ question }}", "max_tokens": 8, "temperature": 0},
        "model_b": "said",
    }
    client = there.together()
    made = client.evals.create(type="compare", parameters=parameters)
    there.worker()
    there.until(made.workflow_id or "")
    results = client.evals.retrieve(made.workflow_id or "").results
    # A says good always. Where B does too, the first of two is chosen whichever it is.
    assert (results.a_wins, results.b_wins, results.ties) == (3, 0, 5)
    assert results.judge_fail_count == 1
    # Of each row an answer and two verdicts, of one no second verdict.
    assert len(engine.streams) == 9 + 9 + 8
    once = parameters | {"disable_position_bias_correction": True}
    made = client.evals.create(type="compare", parameters=once)
    there.until(made.workflow_id or "")
    results = client.evals.retrieve(made.workflow_id or "").results
    assert (results.a_wins, results.ties) == (8, 0)


def test_killed_it_asks_nothing_twice_that_was_answered(
    there: Place, data: str, engine: Judge
) -> None:
    engine.pace = 0.05
    parameters = {
        "judge": JUDGE | {"num_workers": 1},
        "labels": ["good", "bad"],
        "pass_labels": ["good"],
        "input_data_file_path": data,
        "model_to_evaluate": "said",
    }
    made = there.together().evals.create(type="classify", parameters=parameters)
    name = made.workflow_id or ""
    worker = there.worker()
    while len(engine.streams) < 4:
        time.sleep(0.01)
    os.kill(worker.pid, signal.SIGKILL)
    worker.wait()
    there.worker()
    found = there.until(name)
    assert (found.result or {})["label_counts"] == {"good": 5, "bad": 3}
    assert len(engine.streams) <= 9 + 1


def test_after_its_time_it_asks_no_more(there: Place, data: str, engine: Judge) -> None:
    parameters: Any = LABELLED | {"judge": JUDGE, "input_data_file_path": data}
    made = there.together().evals.create(type="classify", parameters=parameters)
    job = there.find(made.workflow_id or "")
    assert job.payload["deadline"] - job.created in range(24 * 3600 - 5, 24 * 3600 + 5)
    late = there.jobs.create(
        "evaluation", job.payload | {"deadline": 1}, caller=Caller(), id="eval-x"
    )
    there.jobs.cancel(job.id, job.project)
    there.worker()
    result = there.until(late.id).result or {}
    assert result["generation_fail_count"] == len(ROWS)
    assert "time" in rows(there, result["result_file_id"])[0]["error"]
    assert engine.streams == []


def test_a_list_has_the_newest_of_a_status_up_to_a_limit(there: Place, data: str) -> None:
    parameters: Any = LABELLED | {"judge": JUDGE, "input_data_file_path": data}
    client = there.together()
    made = [
        client.evals.create(type="classify", parameters=parameters).workflow_id or ""
        for _ in range(4)
    ]
    for name in made[2:]:
        there.jobs.cancel(name, "proj_a")
    loose = together.Together(base_url=there.url, api_key=there.key("proj_a"))

    def listed(**asked: Any) -> list[str | None]:
        return [one.workflow_id for one in loose.evals.list(**asked)]

    assert listed(status="queued", limit=1) == [made[1]]
    assert listed(status="error", limit=9) == made[:1:-1]
    assert listed(limit=3) == made[:0:-1]
    assert listed(status="user_error") == []
    loose.close()


LABELLED = {"labels": ["a"], "pass_labels": ["a"], "model_to_evaluate": "said"}


@pytest.mark.parametrize(
    ("kind", "change", "words"),
    [
        ("classify", {"judge": JUDGE | {"model_source": "external"}}, "external"),
        ("classify", {"judge": JUDGE | {"system_template": "{{ nothing }}"}}, "names nothing"),
        ("classify", {"judge": JUDGE | {"system_template": "{{ nothing"}}, "no template"),
        ("classify", {"model_to_evaluate": "nothing"}, "names nothing"),
        ("classify", {"pass_labels": ["b"]}, "not in labels"),
        ("classify", {"labels": []}, "labels"),
        ("classify", {"colour": "red"}, "colour"),
        ("rank", {}, "type"),
    ],
)
def test_what_makes_no_sense_is_refused(
    there: Place, data: str, kind: Any, change: Any, words: str
) -> None:
    parameters = LABELLED | {"judge": JUDGE, "input_data_file_path": data} | change
    with pytest.raises(together.BadRequestError, match=words):
        there.together().evals.create(type=kind, parameters=parameters)


def test_another_project_sees_nothing(there: Place, data: str) -> None:
    parameters: Any = LABELLED | {"judge": JUDGE, "input_data_file_path": data}
    made = there.together().evals.create(type="classify", parameters=parameters)
    other = there.together("proj_b")
    assert other.evals.list() == []
    for ask in (other.evals.retrieve, other.evals.status):
        for name in (made.workflow_id or "", "eval-unknown", "job_x"):
            with pytest.raises(together.NotFoundError):
                ask(name)
    with pytest.raises(together.NotFoundError):
        other.evals.create(type="classify", parameters=parameters)
