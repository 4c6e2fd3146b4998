"""The report of a run through all rooms: one self-contained page of HTML, and a summary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson

from openhearth.bench.improvement import plots
from openhearth.bench.improvement.quality import Comparison
from openhearth.bench.measures import PointMeasures
from openhearth.page import render
from openhearth.store import write_atomically

TEMPLATE = Path(__file__).with_name("report.html.jinja")


@dataclass(frozen=True)
class Sample:
    """A held-out question with the true answer and those of both models."""

    source: str
    question: str
    reference: str
    base: str
    tuned: str


@dataclass(frozen=True)
class Package:
    """A source that was trained on, by whom and under which licence, and how many documents."""

    source: str
    license: str
    creator: str
    documents: int


@dataclass(frozen=True)
class Report:
    """Everything a run found. `stages` are (name, seconds)."""

    title: str
    base: str
    adapter: str
    machine: str
    funnel: list[dict[str, Any]]
    losses: list[float]
    train_tokens: int
    train_tokens_per_s: float
    bits: Comparison
    overlap: Comparison
    serving: dict[int, PointMeasures]
    samples: Sequence[Sample]
    lineage: dict[str, Any]
    lineage_tree: str
    packages: list[Package]
    stages: list[tuple[str, float]]

    def summary(self) -> dict[str, Any]:
        """The numbers that matter, by fixed names."""
        alone = self.serving[1].answers.ttft_ms
        return {
            "base_bpb": self.bits.base,
            "tuned_bpb": self.bits.tuned,
            "tuned_bpb_ci": list(self.bits.tuned_ci),
            "heldout_packages": self.bits.sources,
            "train_tokens_per_s": self.train_tokens_per_s,
            "ttft_ms": alone.p50.value if alone else None,
            "tokens_per_s": {str(n): m.answers.rates.tokens for n, m in self.serving.items()},
            "lineage": self.lineage | {"sources": [asdict(p) for p in self.packages]},
        }

    @property
    def licenses(self) -> list[tuple[str, int]]:
        """Documents trained on by licence, most first."""
        counts: Counter[str] = Counter()
        for package in self.packages:
            counts[package.license or "none named"] += package.documents
        return counts.most_common()

    @property
    def better(self) -> bool:
        """Whether the tuned model is better on held-out sources, beyond the interval."""
        return self.bits.base > self.bits.tuned_ci[1]


def write_report(directory: Path, report: Report) -> Path:
    """Write `index.html` and `summary.json`; returns the page's path.

    Raises:
        MissingExtra: matplotlib or jinja2 is not installed.
    """
    page = render(
        TEMPLATE,
        report=report,
        curve=plots.training_curve(report.losses),
        bits=plots.interval(
            report.bits.base, report.bits.tuned, *report.bits.tuned_ci, "bits per byte"
        ),
        speed=plots.throughput({n: m.answers.rates.tokens for n, m in report.serving.items()}),
    )
    write_atomically(directory / "index.html", page)
    summary = orjson.dumps(report.summary(), option=orjson.OPT_INDENT_2)
    write_atomically(directory / "summary.json", summary)
    return directory / "index.html"
