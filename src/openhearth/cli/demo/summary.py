"""What the demo says while it goes, and the page at its end."""

from __future__ import annotations

from pathlib import Path

from openhearth.bench import Comparison
from openhearth.bench.improvement.report import Report
from openhearth.bench.measures import PointMeasures, Spread
from openhearth.bench.own_server import Server
from openhearth.cli.data.common import funnel_text
from openhearth.cli.demo.plan import Plan
from openhearth.cli.frame import table
from openhearth.store import Artifact, Store


def curated(dataset: Artifact) -> str:
    """The funnel, and what is left."""
    metrics = dataset.manifest.metrics
    return (
        f"{funnel_text(dataset.read_json('funnel.json'))}\n"
        f"{metrics['train']} documents to train on, {metrics['heldout']} held out "
        f"by {metrics['held_out_by']}."
    )


def tuned(store: Store, adapter: Artifact) -> str:
    """What training did."""
    metrics, speed = adapter.manifest.metrics, store.cost(adapter.digest)["tokens_per_second"]
    return (
        f"{metrics['steps']} steps over {metrics['tokens']} tokens at {speed:.0f} tokens/s, "
        f"last loss {metrics['loss']:.3f}."
    )


def proved(bits: Comparison) -> str:
    """Base against tuned."""
    low, high = bits.tuned_ci
    return (
        f"Bits per byte on {bits.sources} held-out sources: {bits.base:.3f} before, "
        f"{bits.tuned:.3f} after (95 % interval {low:.3f} to {high:.3f})."
    )


def serving(server: Server, clients: dict[str, str]) -> str:
    """Where the models are, and what the official clients got from them."""
    lines = [f"Both models are at {server.url}/v1."]
    lines += [f"    the {name} client got: {text!r}" for name, text in clients.items()]
    if not clients:
        lines.append("    (openai and together are not installed here, so they were not tried)")
    return "\n".join(lines)


def whole(report: Report, plan: Plan, page: Path, total: str) -> str:
    """The one-page summary."""
    bits, overlap = report.bits, report.overlap
    verdict = "better" if report.better else "NOT better"
    licenses = ", ".join(f"{name} ({count})" for name, count in report.licenses[:6])
    most = sorted(report.packages, key=lambda p: -p.documents)[:6]
    packages = ", ".join(f"{p.source} ({p.documents})" for p in most)
    return "\n".join(
        [
            "",
            f"{report.adapter}: {report.base} tuned on {plan.location}, in {total}",
            f"on {report.machine}",
            "",
            f"Quality   {verdict} on {bits.sources} held-out {plan.sources} "
            f"({bits.examples} examples)",
            f"          bits per byte  {bits.base:.3f} -> {bits.tuned:.3f}   "
            f"95 % interval {bits.tuned_ci[0]:.3f} to {bits.tuned_ci[1]:.3f}",
            f"          text overlap   {overlap.base:.3f} -> {overlap.tuned:.3f}   "
            f"95 % interval {overlap.tuned_ci[0]:.3f} to {overlap.tuned_ci[1]:.3f}",
            f"Training  {report.train_tokens} tokens at {report.train_tokens_per_s:.0f} tokens/s",
            "Serving",
            *("          " + line for line in serving_table(report.serving).splitlines()),
            "Lineage",
            *("          " + line for line in report.lineage_tree.splitlines()),
            f"Sources   {len(report.packages)} {plan.sources}: {packages} …",
            f"Licences  {licenses} …",
            "",
            f"Report    {page}",
            f"Go on     hearth chat {report.adapter}     talk to it here",
            "          hearth up                           serve it to your own code",
        ]
    )


def serving_table(levels: dict[int, PointMeasures]) -> str:
    """Figures as a table, a row for each number of callers."""
    head = ["callers", "requests", "errors", "TTFT ms p50/p99", "ITL ms p50/p99", "tokens/s"]
    rows = [
        [
            callers,
            point.requests,
            sum(point.errors.values()),
            _spread(point.answers.ttft_ms),
            _spread(point.answers.itl_ms),
            round(point.answers.rates.tokens, 1),
        ]
        for callers, point in levels.items()
    ]
    return table(head, rows)


def _spread(spread: Spread | None) -> str:
    return f"{spread.p50.value:.0f} / {spread.p99.value:.0f}" if spread else "-"
