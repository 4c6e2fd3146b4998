"""`hearth models quantize`: a model with fewer bits, and what they were worth."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import click

from openhearth.cli.frame import emit, progress, size, table

if TYPE_CHECKING:
    from openhearth.models.quantize import Report
    from openhearth.store import Artifact, Store


@click.command()
@click.argument("model")
@click.option("--to", required=True, help="int8, q8_0, q6_k, q5_1, q5_0, q4_k_m, q4_1 or q4_0.")
@click.option("--out", required=True, metavar="NAME|FILE.gguf", help="A new name, or a new file.")
@click.option(
    "--text",
    type=click.Path(path_type=Path),
    help="Compare on the first 2048 tokens of this file; else on a page of prose and code.",
)
def quantize(model: str, to: str, out: str, text: Path | None) -> None:
    """Give the matrices of MODEL fewer bits: a name, a directory, or a GGUF file.

    What comes out is GGUF, which `hearth run` and llama.cpp load. The report tells how far its
    predictions are from those of MODEL: the mean KL of the next token's distribution, and
    perplexity.
    """
    from openhearth.models import find
    from openhearth.models.quantize import Report
    from openhearth.models.quantize import quantize as carry_out
    from openhearth.store import Store

    store = Store()
    _check_new(store, out)
    made = carry_out(store, find(store, model), to.lower(), text=_read(text), progress=progress())
    _place(store, made, out)
    report = Report.of(made)
    value = {"out": out, "digest": made.digest, "size": made.size, **report.model_dump()}
    emit(value, lambda: f"{out}: model {made.digest[:12]}, {size(made.size)}.\n\n{_text(report)}")


def _check_new(store: Store, out: str) -> None:
    """Raises:
    UsageError: there is something of this name already, or it can be no name.
    """
    from openhearth.errors import UsageError

    if Path(out).exists() if _is_file(out) else store.refs.get(out):
        raise UsageError(f"{out} is there already: name something new.")


def _is_file(out: str) -> bool:
    return out.endswith(".gguf")


def _read(text: Path | None) -> str | None:
    from openhearth.errors import NotFound

    if text is None:
        return None
    if not text.is_file():
        raise NotFound(f"There is no file {text}: name one with a few pages of plain text.")
    return text.read_text(errors="replace")


def _place(store: Store, made: Artifact, out: str) -> None:
    """Name the model, or copy its file out of the store."""
    if not _is_file(out):
        store.tag(out, made.digest)
        return
    part = Path(out + ".part")
    part.parent.mkdir(parents=True, exist_ok=True)
    try:
        shutil.copyfile(made.path("model.gguf"), part)
        part.rename(out)
    finally:
        part.unlink(missing_ok=True)


def _text(report: Report) -> str:
    before, after = report.before, report.after
    rows = [
        ["weights", size(before.bytes), size(after.bytes)],
        ["bits a weight", f"{before.bits:.2f}", f"{after.bits:.2f}"],
        ["perplexity", f"{before.perplexity:.2f}", f"{after.perplexity:.2f}"],
    ]
    parts = [
        table(["", "before", "after"], rows),
        f"KL {report.kl:.4f} nats a token, over {report.tokens} tokens. Tensors: "
        f"{_counts(report.types)}.",
    ]
    if report.instead:
        parts.append(
            f"{_counts(report.instead)} because rows are no whole blocks of the type that was "
            "asked for."
        )
    if report.requantized:
        parts.append(
            "MODEL was quantised itself: this compares with it, not with what it was made from."
        )
    worst = [[each.name, each.type, f"{each.error:.2%}"] for each in report.worst]
    return "\n\n".join([*parts, table(["worst tensors", "type", "relative error"], worst)])


def _counts(types: dict[str, int]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in types.items())
