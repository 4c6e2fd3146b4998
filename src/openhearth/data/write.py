"""A corpus through a step into a file or a folder; a run that was killed goes on."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from openhearth.data import pipeline
from openhearth.data.forms import Output
from openhearth.data.pipeline import Report, Step
from openhearth.data.schema import Corpus
from openhearth.progress import Progress, silent


def write(
    corpus: Corpus,
    step: Step,
    output: Output,
    settings: object,
    executor: Any = None,
    *,
    limit: int | None = None,
    progress: Progress = silent,
    stage: str = "write",
) -> Report:
    """Write what `step` makes of the batches of a corpus.

    `settings` are plain data that say what the step does: parts that an earlier run left are used
    if it had the same settings and the same corpus.

    Raises:
        UsageError: a folder is wanted where something lies already.
        HearthError: more than `limit` records were set aside.
    """
    output.begin(stamp(corpus, settings))
    report = pipeline.run(
        corpus,
        step,
        output.form,
        output.work,
        executor,
        limit=limit,
        progress=progress,
        stage=stage,
    )
    output.finish(report.files)
    return report


def stamp(corpus: Corpus, settings: object) -> str:
    """What tells a run over this corpus with these settings from others."""
    named = json.dumps([corpus.location, corpus.fingerprint, settings], sort_keys=True, default=str)
    return hashlib.sha256(named.encode()).hexdigest()
