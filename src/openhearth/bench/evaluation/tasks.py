"""Tasks in the format of `lm-eval`: those that it knows by name, files, and folders."""

from __future__ import annotations

import difflib
import importlib.metadata
import random
from collections.abc import Iterator
from contextlib import chdir
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import torch
from lm_eval.evaluator import evaluate as lm_evaluate
from lm_eval.tasks import TaskManager

from openhearth.bench.evaluation.harness import HearthLM
from openhearth.bench.evaluation.journal import Journal
from openhearth.bench.evaluation.subject import Subject
from openhearth.errors import UsageError
from openhearth.progress import Progress, silent
from openhearth.store import Artifact, Draft, Store, file_digest

MOST_FILES = 10_000  # of a folder of tasks and their data
NEAREST = 5  # names that an error tells
RESAMPLES = 1000  # where a measure is no mean
SEED, FEWSHOT_SEED = 0, 1234  # those of lm-eval's own command
Z = 1.96  # of a normal distribution, 95 %


@dataclass(frozen=True)
class Asking:
    """How tasks are put: examples before each question (None: as the task says), the first so many
    questions, and in the model's chat form or as plain text.
    """

    fewshot: int | None = None
    limit: int | None = None
    chat: bool = False


def evaluate_task(
    store: Store, subject: Subject, task: str, asking: Asking, progress: Progress = silent
) -> Artifact:
    """A report of kind `task`: of one that `lm-eval` knows, a YAML file, or all those of a folder.

    Data files that a task names are found from its own folder.

    Raises:
        UsageError: there is no such task, or it makes no sense.
    """
    path = Path(task).absolute()
    recipe = {
        "evaluation": "task",
        "task": _signed(path) if path.exists() else task,
        "lm_eval": importlib.metadata.version("lm_eval"),
        "context": subject.context,
        "dtype": subject.dtype,
        **asdict(asking),
    }

    def build(draft: Draft) -> None:
        lm = HearthLM(subject, Journal(draft.work / "answers.jsonl"), progress)
        results = _carry_out(lm, task, path, asking)
        rows = list(_rows(results))
        draft.path("results.json").write_bytes(
            orjson.dumps({"versions": results["versions"], "results": rows})
        )
        draft.metrics["results"] = rows

    return store.make("report", build, inputs=subject.inputs, recipe=recipe)


def _signed(path: Path) -> dict[str, str]:
    """The digests of a file of tasks, or of all files beside each other in a folder of them."""
    files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
    if len(files) > MOST_FILES:
        raise UsageError(f"{path} has more than {MOST_FILES} files: it is no folder of tasks.")
    base = path.parent if path.is_file() else path
    return {file.relative_to(base).as_posix(): file_digest(file) for file in files}


def _carry_out(lm: HearthLM, task: str, path: Path, asking: Asking) -> dict[str, Any]:
    """As `lm_eval.simple_evaluate` does, with its seeds."""
    random.seed(SEED)
    np.random.seed(FEWSHOT_SEED)
    torch.manual_seed(FEWSHOT_SEED)
    try:
        loaded = _load(task, path)
        for one in loaded["tasks"].values():
            usual = one.get_config("num_fewshot")
            # A task that says 0 has its examples in the question, or may have none.
            if usual is None or (usual and asking.fewshot is not None):
                one.set_config(key="num_fewshot", value=asking.fewshot or 0)
            one.set_fewshot_seed(seed=FEWSHOT_SEED)
        found = lm_evaluate(
            lm=lm,
            task_dict=loaded,
            limit=asking.limit,
            apply_chat_template=asking.chat,
            fewshot_as_multiturn=asking.chat,
            bootstrap_iters=RESAMPLES,
            log_samples=False,
        )
    except (KeyError, TypeError, ValueError, OSError, AttributeError) as error:
        raise UsageError(
            f"The task {task} cannot be carried out ({error}): look at its definition, and "
            "whether its data can be reached."
        ) from error
    assert found is not None  # only processes beside the first get nothing
    return dict(found)


def _load(task: str, path: Path) -> Any:
    """Tasks and their data. Of those that `lm-eval` comes with, thousands of files, all are read
    only where one is named.
    """
    if not path.exists():
        manager = TaskManager()
        return manager.load(_known(manager, task))
    folder = path if path.is_dir() else path.parent
    with chdir(folder):
        manager = TaskManager(include_path=str(folder), include_defaults=False)
        names = [str(path)] if path.is_file() else manager.all_subtasks
        if not names:
            raise UsageError(f"{path} has no tasks: they are YAML files with a field `task`.")
        return manager.load(names)


def _known(manager: TaskManager, task: str) -> str:
    if task not in manager.all_tasks:
        near = difflib.get_close_matches(task, manager.all_tasks, NEAREST, cutoff=0.5)
        hint = f"the nearest are {', '.join(near)}" if near else "`lm-eval ls tasks` lists them"
        raise UsageError(f"There is no task {task!r}: {hint}; a file or folder would do as well.")
    return task


def _rows(results: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Each measure of each task and group, with its interval where there is an error of it."""
    for task, measures in sorted(results["results"].items()):
        count = results.get("n-samples", {}).get(task, {}).get("effective")
        for name, value in sorted(measures.items()):
            measure, _, kept = name.partition(",")
            if measure.endswith(("_stderr", "sample_len")) or not _is_number(value):
                continue
            error = measures.get(f"{measure}_stderr,{kept}")
            yield {
                "task": task,
                "measure": measure,
                "filter": kept,
                "value": float(value),
                "interval": [float(value - Z * error), float(value + Z * error)]
                if _is_number(error)
                else None,
                "items": count,
            }


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.number) and bool(np.isfinite(value))
