"""Slices of a mixture: opened without being read, then prepared by their rules and selections."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from openhearth.data import pipeline
from openhearth.data.corpus import account
from openhearth.data.filter import Computed, Filter, needed
from openhearth.data.forms import Parquet
from openhearth.data.rules import Rule, load_rules
from openhearth.data.schema import Corpus, Quarantine
from openhearth.data.select.choose import select
from openhearth.data.select.mixture import Slice
from openhearth.data.shards import corpus_of_files
from openhearth.data.signals import Resources
from openhearth.data.sources import read
from openhearth.data.write import stamp


@dataclass(frozen=True)
class Opened:
    """A slice with all that its documents depend on, none of which is read yet."""

    part: Slice
    corpus: Corpus
    rules: tuple[Rule, ...]
    targets: Mapping[str, Corpus]

    @classmethod
    def of(cls, part: Slice) -> Opened:
        """Find what a slice names.

        Raises:
            NotFound: there is nothing at one of its paths, or no such rule set.
            UsageError: a rule is wrong, or nothing at a path can be read.
        """
        return cls(
            part,
            read(part.path, part.format),
            tuple(load_rules(part.rules, part.off)),
            {name: read(path) for name, path in part.targets.items()},
        )

    @property
    def fingerprint(self) -> str:
        """Changes when its documents do."""
        selected = self.part.model_dump(mode="json", include={"select"})
        targets = {name: stamp(corpus, "target") for name, corpus in self.targets.items()}
        return stamp(self.corpus, [self._filtered(), selected, targets])

    def prepare(
        self, work: Path, executor: Any, settings: dict[str, Any], aside: Quarantine
    ) -> Corpus:
        """Its documents, by its rules, by its selection; `aside` takes what cannot be read.

        They are put into Parquet files even if all stay: parts of a mixture begin in the middle of
        them, where other formats cannot be entered.
        """
        corpus, rules = self.corpus, self.rules
        if rules or self.part.select is None:
            name = stamp(corpus, self._filtered())
            report = pipeline.run(
                corpus,
                Filter(rules, Computed(needed(rules), Resources())) if rules else account,
                Parquet(),
                work / f"documents-{name[:16]}",
                executor,
                stage=f"read {self.part.name}",
                **settings,
            )
            aside.update(report.quarantine.to_dict())
            corpus = corpus_of_files(report.files, name)
        if self.part.select is None:
            return corpus
        selection = select(corpus, self.targets, self.part.select, work, executor, **settings)
        aside.update(selection.report.quarantine.to_dict())
        return selection.corpus

    def _filtered(self) -> list[Any]:
        """What its documents depend on before they are selected from."""
        return [rule.model_dump(mode="json") for rule in self.rules]
