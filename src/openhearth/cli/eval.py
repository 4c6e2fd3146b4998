"""`hearth eval`: how good a model is, on texts and on tasks."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from openhearth.cli.frame import emit, progress, table
from openhearth.errors import MissingExtra, UsageError

if TYPE_CHECKING:
    from openhearth.bench.evaluation.subject import Subject
    from openhearth.store import Artifact, Store

BARS = ("TQDM_DISABLE", "HF_DATASETS_DISABLE_PROGRESS_BARS")  # they would write over ours
LONG = 60  # characters of a name in a table


@click.command(name="eval")
@click.argument("model")
@click.option("--adapter", help="Of the model: its name in the store.")
@click.option(
    "--text",
    "texts",
    multiple=True,
    metavar="NAME|PATH|URL",
    help="Bits per byte of this: a corpus or dataset, or files. Repeatable.",
)
@click.option("--split", help="Of a dataset: heldout (the default) or train.")
@click.option(
    "--task",
    "tasks",
    multiple=True,
    metavar="NAME|PATH",
    help="A task of lm-eval, by name, or a YAML file or folder of some. Repeatable.",
)
@click.option("--fewshot", type=click.IntRange(0, 1000), help="Examples; else as the task says.")
@click.option("--chat", is_flag=True, help="Ask tasks in the model's chat form.")
@click.option("--limit", type=click.IntRange(1), help="Only the first documents and questions.")
@click.option("--context", type=click.IntRange(2), help="Tokens that are read at once.")
@click.option(
    "--dtype",
    type=click.Choice(["float32", "bfloat16", "auto"]),
    default="float32",
    show_default=True,
    help="Of the weights.",
)
def evaluate(
    model: str,
    adapter: str | None,
    texts: tuple[str, ...],
    split: str | None,
    tasks: tuple[str, ...],
    fewshot: int | None,
    chat: bool,
    limit: int | None,
    context: int | None,
    dtype: str,
) -> None:
    """Evaluate MODEL on texts, by bits per byte, and on tasks of lm-eval.

    What was evaluated before is found, and not done again. Ctrl-C stops; the same command goes on.
    """
    from openhearth.store import Store

    if not texts and not tasks:
        raise UsageError("Give a --text or a --task: what the model is evaluated on.")
    for name in BARS:  # before what draws them is imported
        os.environ.setdefault(name, "1")
    try:
        from openhearth.bench.evaluation.subject import Subject
    except ModuleNotFoundError as error:
        raise MissingExtra(error.name or "torch", "torch") from error

    store = Store()
    subject = Subject.open(store, model, adapter, dtype, context)
    try:
        found = [(text, _text(store, subject, text, split, limit)) for text in texts]
        found += [(task, _task(store, subject, task, fewshot, limit, chat)) for task in tasks]
    finally:
        subject.close()
    value = [{"on": name, "report": made.digest, **made.manifest.metrics} for name, made in found]
    emit(value, lambda: _table(value))


def _text(
    store: Store, subject: Subject, text: str, split: str | None, limit: int | None
) -> Artifact:
    from openhearth.bench.evaluation.texts import evaluate_texts

    return evaluate_texts(store, subject, text, split, limit, progress())


def _task(
    store: Store,
    subject: Subject,
    task: str,
    fewshot: int | None,
    limit: int | None,
    chat: bool,
) -> Artifact:
    try:
        from openhearth.bench.evaluation.tasks import Asking, evaluate_task
    except ModuleNotFoundError as error:
        raise MissingExtra(error.name or "lm_eval", "eval") from error

    return evaluate_task(store, subject, task, Asking(fewshot, limit, chat), progress())


def _table(value: list[dict[str, Any]]) -> str:
    rows = []
    for one in value:
        for result in one.get("results") or [_as_result(one)]:
            rows.append(
                [
                    result["task"][-LONG:],
                    result["measure"],
                    result["filter"],
                    f"{result['value']:.4g}",
                    _interval(result["interval"]),
                    result["items"] or "",
                    one["report"][:12],
                ]
            )
    return table(["on", "measure", "filter", "value", "95 %", "items", "report"], rows)


def _as_result(one: dict[str, Any]) -> dict[str, Any]:
    """Bits per byte as tasks tell their results."""
    bits = one["bits_per_byte"]
    return {"task": one["on"], "measure": "bits_per_byte", "filter": f"by {bits['resampled']}"} | {
        "value": bits["value"],
        "interval": bits["interval"],
        "items": one["documents"],
    }


def _interval(bounds: list[float] | None) -> str:
    return f"{bounds[0]:.4g} to {bounds[1]:.4g}" if bounds else "-"
