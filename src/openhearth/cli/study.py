"""`hearth study`: which layers are best at equal FLOPs, and what the next size will do."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from openhearth.cli.frame import duration, emit, progress, say, table
from openhearth.errors import MissingExtra

if TYPE_CHECKING:
    from openhearth.store import Artifact
    from openhearth.training.study import StudyRecipe


@click.command()
@click.argument("recipe", type=click.Path(path_type=Path))
@click.option(
    "--plan", "only_plan", is_flag=True, help="Show the runs and the time; train nothing."
)
@click.option("--report", type=click.Path(path_type=Path), help="A folder for the page and table.")
@click.option("--out", "name", help="What to call the report.")
def study(recipe: Path, only_plan: bool, report: Path | None, name: str | None) -> None:
    """Train every layer mix of RECIPE (YAML) at every size, fit scaling laws, and check them.

    Every run is kept: a study that was stopped goes on when the same command is given again.
    """
    from openhearth.store import Store

    try:
        from openhearth.training.study import StudyRecipe, plan
        from openhearth.training.study import study as carry_out
    except ModuleNotFoundError as error:
        raise MissingExtra(error.name or "torch", "study") from error

    chosen = StudyRecipe.load(recipe)
    if name:
        chosen = chosen.model_copy(update={"name": name})
    store, show = Store(), progress()
    planned = plan(store, chosen, show)
    left = planned.estimate(store, chosen, show)
    said = (
        f"{left.runs} runs, {left.done} of them done; the others take {left.flops:.2g} FLOPs, "
        f"about {duration(left.seconds)} on this machine."
    )
    if only_plan:
        emit(
            {"runs": [_planned(run) for run in planned.runs], "seconds": left.seconds},
            lambda: f"{_runs(planned.runs)}\n\n{said}",
        )
        return
    say(said)
    made = carry_out(store, chosen, show, planned)
    if report is not None:
        _copy(made, report)
    emit(
        {"digest": made.digest, **made.read_json("findings.json")},
        lambda: _summary(made, chosen, report),
    )


def _planned(run: Any) -> dict[str, Any]:
    return {
        "mix": run.mix,
        "width": run.size.width,
        "depth": run.size.depth,
        "slice": run.slice,
        "parameters": run.parameters,
        "tokens": run.tokens,
        "flops": run.flops,
    }


def _runs(runs: list[Any]) -> str:
    rows = [_planned(run) for run in runs]
    return table(list(rows[0]), [[_short(cell) for cell in row.values()] for row in rows])


def _short(cell: Any) -> Any:
    return f"{cell:.2e}" if isinstance(cell, float) else cell


def _copy(made: Artifact, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for file in made.manifest.files:
        shutil.copyfile(made.path(file), folder / file)


def _summary(made: Artifact, recipe: StudyRecipe, report: Path | None) -> str:
    found = made.read_json("findings.json")
    parts = [_slice(name, said) for name, said in found["slices"].items()]
    if found["probes"]:
        parts.append(_probes(found["probes"]))
    where = (
        report / "index.html" if report else f"`hearth study … --report DIR` ({made.digest[:12]})"
    )
    return "\n\n".join([*parts, f"The report: {where}"])


def _slice(name: str, said: dict[str, Any]) -> str:
    standings = table(
        ["FLOPs", "mix", "loss", "from", "to", "measured", "parameters", "is best"],
        [
            [
                f"{s['flops']:.2g}",
                s["mix"],
                *(f"{s['loss'][end]:.4f}" for end in ("value", "low", "high")),
                f"{s['measured']:.4f}" if s["measured"] else "-",
                f"{s['parameters']:.2g}",
                f"{s['is_best']:.0%}",
            ]
            for level in said["standings"]
            for s in level
        ],
    )
    text = f"{name}: {said['best']} is the best at equal FLOPs.\n{standings}"
    if not said["predictions"]:
        return text
    checked = table(
        ["next size", "parameters", "foretold", "from", "to", "measured", "within"],
        [
            [
                p["mix"],
                p["parameters"],
                *(f"{p['foretold'][end]:.4f}" for end in ("value", "low", "high")),
                f"{p['measured']:.4f}",
                "yes" if p["held"] else "no",
            ]
            for p in said["predictions"]
        ],
    )
    return f"{text}\n\n{checked}"


def _probes(tried: list[dict[str, Any]]) -> str:
    mixes = list(dict.fromkeys(t["mix"] for t in tried))
    tasks: dict[str, dict[str, float]] = {}
    for t in tried:
        tasks.setdefault(t["task"], {})[t["mix"]] = t["accuracy"]
    return table(
        ["probe", *mixes],
        [[task, *(f"{scores[mix]:.3f}" for mix in mixes)] for task, scores in tasks.items()],
    )
