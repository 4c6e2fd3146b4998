"""`hearth bench`: servers measured as docs/reference/benchmark-protocol.md says."""

from __future__ import annotations

from openhearth.cli.lazy import LazyGroup

HERE = "openhearth.cli.bench"

bench = LazyGroup(
    "bench",
    help="Measure servers, and check what others measured.",
    lazy={
        "run": (f"{HERE}.measure:run", "One load, its figures, and what the gate says."),
        "sweep": (f"{HERE}.measure:sweep", "The highest rate at which the objective holds."),
        "compare": (f"{HERE}.measure:compare", "Servers in turns, on the same load."),
        "monitor": (f"{HERE}.measure:monitor", "A load now and again, for hours or days."),
        "gate": (f"{HERE}.measure:gate", "Only whether it is the model that was named."),
        "verify": (f"{HERE}.check:verify", "Whether a report holds."),
        "report": (f"{HERE}.check:report", "A report as a page, Markdown, CSV or JSON."),
        "merge": (f"{HERE}.check:merge", "One report of the shares of several machines."),
        "import": (f"{HERE}.foreign:import_", "What guidellm or aiperf measured, in our figures."),
        "board": (f"{HERE}.check:board", "A site of tables from reports that hold."),
    },
)
