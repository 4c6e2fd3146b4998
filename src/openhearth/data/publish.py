"""Signals of documents as a file beside them, in columns or in the form that others publish."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from openhearth.data.corpus import Compute, signed
from openhearth.data.forms import JsonLines, Output, compression_of
from openhearth.data.forms.attributes import DolmaAttributes
from openhearth.data.forms.signals import RedPajamaSignals, described
from openhearth.data.pipeline import Report, Step
from openhearth.data.schema import Corpus
from openhearth.data.signals import FAMILIES, Resources, SignalRecipe, is_signal
from openhearth.data.signals.published import RPV2
from openhearth.data.tally import Tally
from openhearth.data.write import write
from openhearth.errors import UsageError
from openhearth.progress import Progress, silent

EXPERIMENT = "hearth"  # whose attributes they are, where they are Dolma's


def compute_signals(
    corpus: Corpus,
    names: Sequence[str],
    recipe: SignalRecipe,
    path: Path,
    form: str | None = None,
    executor: Any = None,
    *,
    limit: int | None = None,
    progress: Progress = silent,
) -> Report:
    """Write the named signals of documents to `path`, one record a document, in order.

    Raises:
        NotFound: a file of the recipe does not exist.
        UsageError: there is no such signal or form, or it does not fit the file's name.
        HearthError: more than `limit` records were set aside.
    """
    compute = Compute(tuple(expanded(names)), Resources.load(recipe))
    step, output = _step_and_output(compute, path, form)
    settings = {"signals": list(names), "form": form, **signed(recipe)}
    return write(
        corpus, step, output, settings, executor, limit=limit, progress=progress, stage="signals"
    )


def expanded(names: Sequence[str]) -> list[str]:
    """The names of signals where families may stand for theirs.

    Raises:
        UsageError: there is no such signal or family.
    """
    for name in names:
        if name not in FAMILIES and not is_signal(name.removeprefix("answer.")):
            raise UsageError(
                f"There is no signal {name!r}: name one, or a family, {', '.join(FAMILIES)}."
            )
    return [
        signal
        for name in names
        for signal in (
            [*FAMILIES[name].DOCUMENT, *FAMILIES[name].LINES] if name in FAMILIES else [name]
        )
    ]


@dataclass(frozen=True)
class Described:
    """A step that gives signals, and what a published record says of its document."""

    compute: Compute

    def __call__(self, batch: pa.RecordBatch, tally: Tally) -> pa.Table:
        return described(batch, self.compute(batch, tally))


def _step_and_output(compute: Compute, path: Path, form: str | None) -> tuple[Step, Output]:
    compression = compression_of(path)
    if form is None:
        return compute, Output(
            path, compute.form() if compression is None else JsonLines(dict, compression)
        )
    if compression is None and path.suffix:
        raise UsageError(f"The form {form!r} is of JSON lines: name the file .jsonl.gz.")
    compression = ".gz" if compression is None else compression
    if form == "rpv2":
        asked = set(compute.names)
        order = [*(n for n in RPV2 if n in asked), *(n for n in compute.names if n not in RPV2)]
        return Described(compute), Output(path, RedPajamaSignals(tuple(order), compression))
    if form == "dolma":
        return compute, Output(
            path, DolmaAttributes(EXPERIMENT, compute.names, "hearth", compression)
        )
    raise UsageError(f"There is no form {form!r} of signals: use rpv2 or dolma.")
