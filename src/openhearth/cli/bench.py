"""`hearth bench load`: how fast a server answers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from openhearth.cli.frame import emit, progress, table
from openhearth.errors import NotFound, UsageError

if TYPE_CHECKING:
    from openhearth.bench.measures import PointMeasures, Spread

PROMPTS = (
    "Explain in two sentences why the sky is blue.",
    "Write a function that returns the n-th Fibonacci number.",
    "List three ways to save energy at home.",
    "What is the difference between a list and a tuple?",
    "Summarise the plot of a story about a lighthouse keeper.",
    "Give me a recipe for a simple vegetable soup.",
)


@click.group()
def bench() -> None:
    """Measure servers and models. `make bench` compares OpenHearth with its peers."""


@bench.command()
@click.argument("url")
@click.option("--model", required=True, help="The model to ask for.")
@click.option("--api-key", envvar="OPENHEARTH_API_KEY", default="", help="Else OPENHEARTH_API_KEY.")
@click.option("--rate", type=click.FloatRange(min=0, min_open=True), help="Requests per second.")
@click.option("--concurrency", type=click.IntRange(1, 1024), help="Callers, instead of a rate.")
@click.option("--requests", default=32, show_default=True, type=click.IntRange(1, 100_000))
@click.option("--max-tokens", default=64, show_default=True, type=click.IntRange(1, 8192))
@click.option("--prompts", type=click.Path(path_type=Path), help="A file with one prompt a line.")
@click.option("--seed", default=0, show_default=True, help="Of the send times.")
def load(
    url: str,
    model: str,
    api_key: str,
    rate: float | None,
    concurrency: int | None,
    requests: int,
    max_tokens: int,
    prompts: Path | None,
    seed: int,
) -> None:
    """Send requests to the OpenAI-compatible server at URL (without /v1) and time the tokens.

    With --rate the load is open: requests go out at their times, whatever the server does.
    """
    import numpy as np

    from openhearth.bench.load import Target, carry_out, due_times
    from openhearth.bench.measures import counter, measure
    from openhearth.bench.recipe import Callers, Poisson, Recipe
    from openhearth.bench.records import Ask

    if (rate is None) == (concurrency is None):
        raise UsageError("Give either --rate or --concurrency.")
    times = [0.0] * requests
    if rate is not None:
        times = due_times(Poisson(rate=rate), 0.0, requests, np.random.default_rng(seed))
    lines = _prompts(prompts)
    asks = [
        Ask(i, "chat", "chat/completions", _body(lines[i % len(lines)], max_tokens), at)
        for i, at in enumerate(times)
    ]
    show = progress()

    def seen(count: int) -> None:
        show("load", count, requests, "requests")

    target = Target(url, model, api_key)
    records = carry_out(target, asks, callers=concurrency, timeout_s=300, seen=seen).records
    arrivals = Poisson(rate=rate) if rate else Callers(arrivals="callers", callers=concurrency or 1)
    recipe = Recipe(name="load", workloads={"chat": 1}, load=arrivals)
    result = measure(records, recipe, counter(None), seconds=max(times) + 1 / (rate or 1))
    emit(result.to_dict(), lambda: serving_table({concurrency or 0: result}))


def serving_table(levels: dict[int, PointMeasures]) -> str:
    """Figures as a table, a row for each number of callers (0: an open loop)."""
    head = [
        "callers",
        "requests",
        "errors",
        "TTFT ms p50/p90/p99",
        "ITL ms p50/p90/p99",
        "tokens/s",
    ]
    rows: list[list[Any]] = [
        [
            callers or "open",
            m.requests,
            sum(m.errors.values()),
            _spread(m.answers.ttft_ms),
            _spread(m.answers.itl_ms),
            round(m.answers.rates.tokens, 1),
        ]
        for callers, m in levels.items()
    ]
    return table(head, rows)


def _body(prompt: str, max_tokens: int) -> dict[str, Any]:
    messages = [{"role": "user", "content": prompt}]
    return {"messages": messages, "max_tokens": max_tokens, "temperature": 0}


def _spread(spread: Spread | None) -> str:
    if spread is None:
        return "-"
    return f"{spread.p50.value:.0f} / {spread.p90.value:.0f} / {spread.p99.value:.0f}"


def _prompts(path: Path | None) -> list[str]:
    if path is None:
        return list(PROMPTS)
    if not path.is_file():
        raise NotFound(f"There is no file {path}: check its name.")
    lines = [line.strip() for line in path.read_text(errors="replace").splitlines()]
    if not any(lines):
        raise UsageError(f"{path} has no prompts: write one a line.")
    return [line for line in lines if line]
