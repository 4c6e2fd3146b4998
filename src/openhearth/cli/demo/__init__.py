"""`hearth demo`: one command through every room, from text to a tuned, served, measured model.

Each stage leaves an artifact in the store, so a run that was stopped goes on where it was, and a
second run only measures again.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import click

from openhearth.cli.demo.plan import plan
from openhearth.cli.frame import duration, emit, progress, say
from openhearth.errors import HearthError


@click.command()
@click.option("--data", type=click.Path(path_type=Path), help="Your own repository or text folder.")
@click.option("--short", is_flag=True, help="A quarter of the work, for a quick look.")
@click.option(
    "--report",
    "directory",
    default=Path("demo-report"),
    show_default=True,
    type=click.Path(path_type=Path),
    help="Where the report goes.",
)
def demo(data: Path | None, short: bool, directory: Path) -> None:
    """Curate text, tune a small model on it, serve it, prove that it got better, and account.

    Without --data the text is the docstrings of the Python packages installed here.
    """
    from openhearth.bench.improvement.report import write_report
    from openhearth.cli.demo import stages, summary
    from openhearth.cli.demo.clients import ask_clients
    from openhearth.store import Store

    chosen, store, show = plan(data, short), Store(), progress()
    clock = Clock()
    directory.mkdir(parents=True, exist_ok=True)
    with clock.stage("curate"):
        dataset = stages.curate_text(store, chosen, show)
        say(summary.curated(dataset))
    with clock.stage("tune"):
        base, adapter = stages.tune_model(store, chosen, dataset, show)
        say(summary.tuned(store, adapter))
    with clock.stage("prove quality"):
        bits, answers = stages.prove_quality(store, chosen, dataset, base, adapter, show)
        say(summary.proved(bits))
    with ExitStack() as stack:
        with clock.stage("serve"):
            server = stack.enter_context(stages.served(store, chosen))
            say(summary.serving(server, ask_clients(server, chosen.name)))
        with clock.stage("compare answers"):
            overlap, samples = stages.generate(server, chosen, answers, show)
        with clock.stage("prove speed"):
            serving = stages.prove_speed(store, server, chosen, answers, show)
    report = stages.account(
        store, chosen, dataset, adapter, bits, overlap, samples, serving, clock.stages
    )
    page = write_report(directory, report)
    emit(report.summary(), lambda: summary.whole(report, chosen, page, clock.total))
    if not report.better:
        raise HearthError(
            f"The tuned model is not better on held-out {chosen.sources} beyond the interval: "
            f"give more text or tokens. The report is in {page}."
        )


class Clock:
    """How long each stage took."""

    def __init__(self) -> None:
        self.stages: list[tuple[str, float]] = []

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time what happens inside."""
        say(f"\n== {name.capitalize()}")
        start = time.monotonic()
        yield
        self.stages.append((name, time.monotonic() - start))

    @property
    def total(self) -> str:
        """The time of all stages."""
        return duration(sum(seconds for _, seconds in self.stages))
