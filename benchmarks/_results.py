"""What every comparison shares: alternating rounds, and results as a file and a table.

A round times our side and then the peer's, on the same work, in one process; the medians over the
rounds are compared, so that a slow minute of the machine meets both.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from openhearth.bench import describe_machine

REST = 0.3  # seconds before a turn; some threads spin that long after theirs
RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Row:
    """One comparison. `ratio` is how many times better ours is; `goal` is what it should reach."""

    work: str
    unit: str
    ours: float
    peer: float
    peer_name: str
    goal: float
    less_is_better: bool = False

    @property
    def ratio(self) -> float:
        return self.peer / self.ours if self.less_is_better else self.ours / self.peer

    def to_dict(self) -> dict[str, object]:
        """The fields by their fixed names."""
        fields = asdict(self)
        goal = fields.pop("goal")
        fields.pop("less_is_better")
        met = self.ratio >= goal
        rest = {"ratio": self.ratio, "goal": goal, "met": met, "machine": describe_machine()}
        return fields | rest


def seconds(work: Callable[[], object]) -> float:
    """How long one call takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def alternate(
    ours: Callable[[], float], peer: Callable[[], float], rounds: int
) -> tuple[float, float]:
    """The medians of two measurements taken in turn, after one round that does not count."""

    def turn(measure: Callable[[], float]) -> float:
        time.sleep(REST)
        return measure()

    pairs = [(turn(ours), turn(peer)) for _ in range(rounds + 1)][1:]
    return statistics.median(a for a, _ in pairs), statistics.median(b for _, b in pairs)


def figure(value: float) -> str:
    return f"{value:10.1f}" if value >= 10 else f"{value:10.3g}"


def write(name: str, rows: list[Row]) -> None:
    """Write `results/NAME.json` and print it as a table."""
    RESULTS.mkdir(exist_ok=True)
    values = [row.to_dict() for row in rows]
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(values, indent=2) + "\n")
    width = max(len(row.work) for row in rows)
    print(f"\n{name}, on {describe_machine()}")
    for row in rows:
        verdict = "met" if row.ratio >= row.goal else "NOT met"
        print(
            f"  {row.work:<{width}}  {figure(row.ours)} {row.unit:<9} against {figure(row.peer)}"
            f" ({row.peer_name})  ratio {row.ratio:6.2f}  goal {row.goal:g}  {verdict}"
        )
    print(f"  written to benchmarks/results/{path.name}")
