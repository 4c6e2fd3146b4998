"""A step over a corpus, part by part: what was done survives a crash, whoever does it.

Each part leaves one file and, when that is whole, a marker beside it with what was counted. A run
that was killed does only the parts without a marker; as every part is made from its own documents
in their order, the result is the same as that of a run that was not.
"""

from __future__ import annotations

import os
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import orjson
import pyarrow as pa

from openhearth.data.executors import Threads
from openhearth.data.schema import Block, Corpus, Part, Quarantine
from openhearth.data.tally import Tally
from openhearth.progress import Progress, silent
from openhearth.store import write_atomically

PLACE = b"place"  # in a batch's schema metadata: the numbers of its part and of its block there


def place(batch: pa.RecordBatch) -> tuple[int, int]:
    """Which part of the corpus and which block of that part a step was given."""
    part, _, block = batch.schema.metadata[PLACE].partition(b":")
    return int(part), int(block)


class Step(Protocol):
    """What is done to each batch; counts what it likes. It is sent to other machines: no open
    files.
    """

    def __call__(self, batch: pa.RecordBatch, tally: Tally) -> pa.Table | pa.RecordBatch: ...


class Writer(Protocol):
    """Writes what steps give to one file."""

    def write(self, encoded: Any) -> None: ...
    def close(self) -> None: ...


class Form(Protocol):
    """A form in which tables are written. `encode` is called by many threads, a writer by one."""

    @property
    def suffix(self) -> str: ...
    def encode(self, table: pa.Table | pa.RecordBatch) -> Any: ...
    def writer(self, path: Path) -> Writer: ...


@dataclass
class Report:
    """What all parts counted, and the files that they left, in their order."""

    tally: Tally = field(default_factory=Tally)
    quarantine: Quarantine = field(default_factory=Quarantine)
    files: list[Path] = field(default_factory=list)


def run(
    corpus: Corpus,
    step: Step,
    form: Form,
    directory: Path,
    executor: Any = None,
    *,
    limit: int | None = None,
    progress: Progress = silent,
    stage: str = "read",
) -> Report:
    """Apply `step` to every batch of a corpus; a file a part goes to `directory`.

    Raises:
        HearthError: more than `limit` records were set aside.
    """
    directory.mkdir(parents=True, exist_ok=True)
    executor = executor or Threads()
    report = Report(quarantine=Quarantine(limit))
    jobs = [Job(i, part, step, form, directory, limit) for i, part in enumerate(corpus.parts)]
    for i, (job, done) in enumerate(zip(jobs, executor.run(jobs), strict=True)):
        report.tally.add(Tally.from_dict(done["tally"]))
        report.quarantine.update(done["quarantine"])
        report.files.append(job.path)
        progress(stage, i + 1, len(jobs), job.part.name)
    return report


@dataclass(frozen=True)
class Job:
    """One part of a run."""

    number: int
    part: Part
    step: Step
    form: Form
    directory: Path
    limit: int | None = None

    @property
    def path(self) -> Path:
        """The file that it leaves."""
        return self.directory / f"{self.number:06}{self.form.suffix}"

    @property
    def marker(self) -> Path:
        """What says that the file is whole, and what was counted."""
        return self.directory / f"{self.number:06}.done"

    def run(self, executor: Threads) -> dict[str, Any]:
        """Do it, unless it was done before; what was counted."""
        if self.marker.exists():
            return orjson.loads(self.marker.read_bytes())
        tally, quarantine = Tally(), Quarantine(self.limit)
        temporary = self.path.with_suffix(".part")
        try:
            with closing(self.form.writer(temporary)) as writer:
                blocks = enumerate(self.part.read(quarantine))
                for encoded, counted, aside in executor.map(self._work, blocks):
                    writer.write(encoded)
                    tally.add(counted)
                    quarantine.update(aside)
            os.replace(temporary, self.path)
        finally:
            temporary.unlink(missing_ok=True)
        done = {"tally": tally.to_dict(), "quarantine": quarantine.to_dict()}
        write_atomically(self.marker, orjson.dumps(done))
        return done

    def _work(self, numbered: tuple[int, Block]) -> tuple[Any, Tally, dict[str, Any]]:
        number, block = numbered
        quarantine, tally = Quarantine(), Tally()
        batch = block.batch(quarantine)
        here = batch.replace_schema_metadata({PLACE: f"{self.number}:{number}".encode()})
        made = self.step(here, tally).replace_schema_metadata(None)
        return self.form.encode(made), tally, quarantine.to_dict()
