"""A corpus without its duplicates, written to a file or a folder: what the command line calls."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from openhearth.data.dedup.exact import Exact
from openhearth.data.dedup.find import Drop, Duplicates, find
from openhearth.data.dedup.keep import keep_of
from openhearth.data.dedup.minhash import Near
from openhearth.data.dedup.pairs import write_pairs
from openhearth.data.dedup.paragraphs import Paragraphs
from openhearth.data.dedup.presets import preset_of
from openhearth.data.dedup.spans import FALSE_POSITIVES, Cut, Parts, Repeated, find_repeated
from openhearth.data.dedup.substring import Substrings
from openhearth.data.forms import Output, compression_of
from openhearth.data.funnel import Row, funnel
from openhearth.data.parse import Recipe
from openhearth.data.pipeline import Report, Step
from openhearth.data.schema import Corpus
from openhearth.data.write import stamp, write
from openhearth.errors import NotFound, UsageError
from openhearth.progress import Progress, silent
from openhearth.store import write_atomically


class DedupRecipe(Recipe):
    """What counts as a duplicate, and which copy stays.

    `exact` and `minhash` drop whole documents; `paragraph`, `line` and `substring` cut out parts
    that stood before. Lines are paragraphs whose case, punctuation and spaces do not matter; by
    `normalised`, exact copies are known so too. `index` is a folder of what was seen, or for parts
    a file, to which this corpus is added; a new file is made for `capacity` parts. `pairs` is a
    Parquet file to write candidate pairs to. `signals` is a folder or a file, the overlay that
    `keep` asks.
    """

    called: ClassVar[str] = "de-duplication"

    method: Literal["exact", "minhash", "paragraph", "line", "substring"]
    normalised: bool = False
    preset: str = "hearth"
    words: Annotated[int, Field(ge=1, le=1000)] = 13
    keep: str = "first"
    signals: Path | None = None
    index: Path | None = None
    pairs: Path | None = None
    false_positives: float = FALSE_POSITIVES
    capacity: int | None = None

    @property
    def of_documents(self) -> bool:
        """Whether whole documents go."""
        return self.method in ("exact", "minhash")

    def check(self) -> None:
        """See to it that what is asked for makes sense together.

        Raises:
            UsageError: it does not.
        """
        if self.pairs is not None and self.method != "minhash":
            raise UsageError("Only minhash has candidate pairs: leave out the pairs.")
        if self.pairs and (compression_of(self.pairs) is not None or not self.pairs.suffix):
            raise UsageError(f"Pairs are written as Parquet: name {self.pairs} .parquet.")
        if self.normalised and self.method != "exact":
            raise UsageError(f"Only exact copies can be normalised: leave it out of {self.method}.")
        if self.keep != "first" and not self.of_documents:
            raise UsageError(f"Of a {self.method} always the first stays: leave out {self.keep}.")
        keep_of(self.keep, self.shards())
        preset_of(self.preset)

    def shards(self) -> list[Path]:
        """The files of the overlay.

        Raises:
            NotFound: there are none.
        """
        if self.signals is None:
            return []
        found = [self.signals] if self.signals.is_file() else sorted(self.signals.glob("*.parquet"))
        if not found:
            raise NotFound(f"There are no signals in Parquet at {self.signals}: check the path.")
        return found


def dedup_corpus(
    corpus: Corpus,
    recipe: DedupRecipe,
    output: Output,
    executor: Any = None,
    *,
    limit: int | None = None,
    progress: Progress = silent,
) -> tuple[list[Row], Report]:
    """Write a corpus without its duplicates; the funnel of what went, and the report.

    A run that was killed goes on. The index takes in the corpus when the result is written.

    Raises:
        UsageError: the recipe makes no sense, or an index was made with other settings.
        HearthError: more than `limit` records were set aside, or an index is damaged.
    """
    recipe.check()
    settings = recipe.model_dump(mode="json", exclude={"pairs"})
    work = _begin(output, stamp(corpus, settings))
    options: dict[str, Any] = {"executor": executor, "limit": limit, "progress": progress}
    found: Duplicates | Repeated
    step: Step
    if recipe.of_documents:
        preset = preset_of(recipe.preset)
        method = Exact(recipe.normalised) if recipe.method == "exact" else Near(preset)
        keep = keep_of(recipe.keep, recipe.shards())
        copies = find(corpus, method, work, keep=keep, index=recipe.index, **options)
        if recipe.pairs is not None:
            pairs = work / "pairs"
            write_pairs(
                corpus,
                copies,
                preset.words,
                recipe.pairs,
                pairs,
                executor=executor,
                progress=progress,
            )
        found, step = copies, Drop((copies,))
    else:
        repeated = find_repeated(
            corpus,
            _parts(recipe),
            work,
            index=recipe.index,
            false_positives=recipe.false_positives,
            capacity=recipe.capacity,
            **options,
        )
        found, step = repeated, Cut(repeated)
    report = write(corpus, step, output, settings, stage="dedup", **options)
    found.remember()
    shutil.rmtree(work)
    return funnel(report.tally, [found.name], report.tally.counts["seen"]), report


def _parts(recipe: DedupRecipe) -> Parts:
    if recipe.method == "substring":
        return Substrings(recipe.words)
    return Paragraphs(normalised=recipe.method == "line")


def _begin(output: Output, mark: str) -> Path:
    """The work directory; what another run left there goes."""
    work = output.path.with_name(f".{output.path.name}.dedup")
    marker = work / "stamp"
    if work.exists() and not (marker.exists() and marker.read_text() == mark):
        shutil.rmtree(work)
    work.mkdir(exist_ok=True)
    write_atomically(marker, mark.encode())
    return work
