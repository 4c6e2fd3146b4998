"""What the commands that train share: carrying out a recipe, and looking at its data before."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from openhearth.cli.frame import emit, progress

if TYPE_CHECKING:
    from openhearth.store import Artifact, Store
    from openhearth.training import TrainRecipe
    from openhearth.training.preview import Preview, Span

ANSWERS = (", chosen", ", rejected")
SEQUENCES = {
    "preference": ANSWERS,
    "chosen": ANSWERS,
    "pairs": (", anchor", ", positive", ", negative"),
}
"""What the sequences of an example are called, by the format of the file."""


def finish(store: Store, recipe: TrainRecipe) -> None:
    """Carry a recipe out, and say what was made; of several processes only the leader speaks."""
    from openhearth.progress import silent
    from openhearth.training import Group, carry_out

    group = Group.join()
    made = carry_out(store, recipe, progress() if group.leads else silent, group)
    if group.leads:
        say_made(store, made)


def say_made(store: Store, made: Artifact) -> None:
    """What was made, and what to do with it."""
    names = sorted(store.names_of(made.digest), key=len, reverse=True)
    metrics, cost = made.manifest.metrics, store.cost(made.digest)
    emit(
        {"digest": made.digest, "names": names, "metrics": metrics, "cost": cost},
        _said(made, names, cost["tokens_per_second"]),
    )


def _said(made: Artifact, names: list[str], speed: float) -> str:
    from openhearth.models import writes_text

    metrics = made.manifest.metrics
    held = f", held out {metrics['heldout_loss']:.3f}" if "heldout_loss" in metrics else ""
    called = f" ({', '.join(names)})" if names else ""
    name = names[-1] if names else made.digest[:12]
    return (
        f"{made.kind.capitalize()} {made.digest[:12]}{called}: {metrics['steps']} steps, "
        f"{metrics['tokens']} tokens, last loss {metrics['loss']:.3f}{held}, "
        f"{speed:.0f} tokens/s." + (f"\nTalk to it with `hearth chat {name}`." * writes_text(made))
    )


def show_preview(store: Store, recipe: TrainRecipe) -> None:
    """The first examples with what is learnt of them marked, and what there is in all."""
    from openhearth.training.preview import preview

    found = preview(store, recipe, progress=progress())
    emit(found.to_dict(), lambda: _page(found))


def _page(found: Preview) -> str:
    lines = []
    for number, sequences in enumerate(found.examples, 1):
        names = SEQUENCES.get(found.report.get("format", ""), ("",) * len(sequences))
        for name, sequence in zip(names, sequences, strict=False):
            lines += [f"-- example {number}{name}", "".join(map(_marked, sequence)), ""]
    lines.append(
        f"{found.count} examples, {found.tokens} tokens, {found.learnt} of them learnt (marked "
        f"above), in {found.steps} steps."
    )
    told = {"truncated": "cut", "too_long": "left out as too long", "empty": "left out as empty"}
    for name, words in told.items():
        if count := found.report.get(name):
            where = found.report.get("lines", {}).get(name, [])
            at = f": lines {', '.join(map(str, where))}" if where else ""
            lines.append(f"{count} {words}{at}{' …' if count > len(where) > 0 else ''}")
    return "\n".join(lines)


def _marked(span: Span) -> str:
    text, learnt = span
    if not learnt:
        return text
    return click.style(text, fg="green") if sys.stdout.isatty() else f"⟦{text}⟧"
