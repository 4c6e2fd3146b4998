"""Tasks of lm-eval's format, from a folder: answered as by its own backend for transformers."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from contextlib import chdir
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from openhearth.bench.evaluation.harness import HearthLM
from openhearth.bench.evaluation.journal import Journal
from openhearth.bench.evaluation.subject import Subject
from openhearth.bench.evaluation.tasks import Asking, _known, evaluate_task
from openhearth.errors import UsageError
from openhearth.models import pull
from openhearth.progress import silent
from openhearth.store import Store

if TYPE_CHECKING:
    from lm_eval.api.instance import Instance

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of lm-eval and what it imports
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

WORDS = [
    "fox",
    "dog",
    "number",
    "sum",
    "digit",
    "quick",
    "lazy",
    "brown",
    "jump",
    "two",
    "return",
    "add",
]
COMMON = """
dataset_path: json
dataset_kwargs: {data_files: {test: items.jsonl}}
test_split: test
"""
TASKS = {
    "choose": """
task: tiny_choose
output_type: multiple_choice
doc_to_text: "{{question}}\\nAnswer:"
doc_to_choice: "{{choices}}"
doc_to_target: "{{answer}}"
metric_list:
  - {metric: acc, aggregation: mean, higher_is_better: true}
""",
    "roll": """
task: tiny_roll
output_type: loglikelihood_rolling
doc_to_text: ""
doc_to_target: "{{question}} {{choices[0]}}"
metric_list:
  - {metric: bits_per_byte, aggregation: bits_per_byte, higher_is_better: false}
""",
    "write": """
task: tiny_write
output_type: generate_until
doc_to_text: "{{question}}\\nAnswer:"
doc_to_target: "{{choices[answer]}}"
generation_kwargs: {until: ["\\n", "a"], max_gen_toks: 8, do_sample: false}
metric_list:
  - {metric: exact_match, aggregation: mean, higher_is_better: true}
""",
}
ITEMS = 6


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three tasks and their data; nothing is fetched, and nothing kept elsewhere."""
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    rng, path = random.Random(0), tmp_path / "tasks"
    path.mkdir()
    for name, text in TASKS.items():
        (path / f"{name}.yaml").write_text(text + COMMON)
    items = [
        {
            "question": "Which word follows " + " ".join(rng.choices(WORDS, k=rng.randint(3, 30))),
            "choices": [" " + " ".join(rng.choices(WORDS, k=rng.randint(1, 3))) for _ in "abc"],
            "answer": rng.randrange(3),
        }
        for _ in range(ITEMS)
    ]
    (path / "items.jsonl").write_text("".join(json.dumps(item) + "\n" for item in items))
    return path


@pytest.fixture
def store(tmp_path: Path, plain_directory: Path) -> Store:
    store = Store(tmp_path / "home")
    pull(store, str(plain_directory), name="plain")
    return store


def test_as_the_backend_for_transformers(
    store: Store, folder: Path, plain_directory: Path, tmp_path: Path
) -> None:
    from lm_eval.evaluator import evaluate
    from lm_eval.models.huggingface import HFLM
    from lm_eval.tasks import TaskManager
    from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

    subject = Subject.open(store, "plain")
    words = PreTrainedTokenizerFast(
        tokenizer_file=str(plain_directory / "tokenizer.json"), eos_token="<|im_end|>"
    )
    theirs = HFLM(
        pretrained=LlamaForCausalLM.from_pretrained(plain_directory),
        tokenizer=words,
        prefix_token_id=subject.first,
        device="cpu",
        batch_size=4,
    )
    found = {}
    for name, lm in {
        "ours": HearthLM(subject, Journal(tmp_path / "journal"), silent),
        "theirs": theirs,
    }.items():
        with chdir(folder):
            manager = TaskManager(include_path=str(folder), include_defaults=False)
            loaded = manager.load(manager.all_subtasks)
        for task in loaded["tasks"].values():
            task.set_config(key="num_fewshot", value=0)
        found[name] = evaluate(lm, loaded, bootstrap_iters=0)["samples"]
    subject.close()
    for task in ("tiny_choose", "tiny_roll"):
        assert _numbers(found["ours"][task]) == pytest.approx(
            _numbers(found["theirs"][task]), rel=1e-4
        )
    written = [[one["resps"] for one in found[name]["tiny_write"]] for name in found]
    assert written[0] == written[1]
    assert len({str(one) for one in written[0]}) > 1  # the model says something


def test_a_report_that_is_found_again(store: Store, folder: Path) -> None:
    subject = Subject.open(store, "plain")
    made = evaluate_task(store, subject, str(folder), Asking(limit=4))
    subject.close()
    rows = {row["task"]: row for row in made.manifest.metrics["results"]}
    assert set(rows) == {"tiny_choose", "tiny_roll", "tiny_write"}
    low, high = rows["tiny_choose"]["interval"]
    assert low <= rows["tiny_choose"]["value"] <= high
    assert rows["tiny_choose"]["items"] == 4
    assert made.manifest.inputs == {"model": subject.base.digest}
    again = Subject.open(store, "plain")
    assert evaluate_task(store, again, str(folder), Asking(limit=4)).digest == made.digest
    assert "likelihood" not in again.__dict__
    with (folder / "items.jsonl").open("a") as file:
        file.write('{"question": "One more?", "choices": [" a", " b", " c"], "answer": 1}\n')
    other = evaluate_task(store, again, str(folder / "choose.yaml"), Asking())
    assert other.manifest.metrics["results"][0]["items"] == ITEMS + 1


def test_examples_before_a_question_in_the_chat_form_of_an_adapted_model(
    tiny_model_home: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    write = HearthLM._write

    def overheard(lm: HearthLM, requests: Sequence[Instance]) -> list[str]:
        asked.extend(request.args[0] for request in requests)
        return write(lm, requests)

    monkeypatch.setattr(HearthLM, "_write", overheard)
    store = Store(tiny_model_home)
    base, adapted = (Subject.open(store, "tiny", adapter) for adapter in (None, "tiny-adapter"))
    found = {}
    for subject, asking in ((base, Asking(limit=2)), (adapted, Asking(2, limit=2, chat=True))):
        made = evaluate_task(store, subject, str(folder / "write.yaml"), asking)
        assert made.manifest.inputs == subject.inputs
        found[made.digest] = subject
        subject.close()
    assert len(found) == 2
    plain, examples = asked[:2], asked[2:]
    assert [text.count("Answer:") for text in asked] == [1, 1, 3, 3]
    for text, question in zip(examples, plain, strict=True):
        turns = text.split("<|im_start|>")[1:]
        assert [turn.partition("\n")[0] for turn in turns] == [*["user", "assistant"] * 3]
        assert question in turns[-2]


def test_tasks_that_are_none(store: Store, folder: Path, tmp_path: Path) -> None:
    from lm_eval.tasks import TaskManager

    manager = TaskManager(include_path=str(folder), include_defaults=False)
    with pytest.raises(UsageError, match=r"no task 'tiny_rol': the nearest are tiny_roll"):
        _known(manager, "tiny_rol")
    subject = Subject.open(store, "plain")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="has no tasks"):
        evaluate_task(store, subject, str(tmp_path / "empty"), Asking())


def _numbers(samples: list[dict[str, Any]]) -> list[float]:
    """The log-likelihoods of all samples."""
    found: list[float] = []
    for sample in sorted(samples, key=lambda one: one["doc_id"]):
        for answers in sample["resps"]:
            for one in answers:
                found.append(float(one[0] if isinstance(one, tuple | list) else one))
    return found
