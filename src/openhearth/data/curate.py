"""From a location to a dataset: read, compute signals, apply rules, remove duplicates, hold out.

Three artifacts come of it, each the input of the next: the corpus (what was there), the signals
(an overlay, keyed by document id) and the dataset (what is kept, and the funnel that says what
each step removed). Reading and signals are done in parts, so a run that was killed goes on.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from openhearth.data import dedup
from openhearth.data.rules import Rule, keep_lines, load_rules
from openhearth.data.schema import SCHEMA, Corpus, Quarantine
from openhearth.data.signals import compute
from openhearth.data.sources import read
from openhearth.errors import UsageError
from openhearth.progress import Progress, silent
from openhearth.store import Artifact, Draft, Store, write_atomically

PART_ROWS = 1000
EXAMPLES = 2
EXAMPLE_CHARACTERS = 200
FEWEST_SOURCES = 2


class CurateRecipe(BaseModel):
    """What to curate, and how.

    `rules` are names of rule sets that ship, or TOML files; `off` switches single rules off.
    `similarity` null leaves near duplicates in; `shingle` is the words of one n-gram. About
    `heldout` of the sources, always whole ones, are kept apart for measuring.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: str
    rules: tuple[str, ...] = ("docstrings",)
    off: tuple[str, ...] = ()
    similarity: float | None = 0.7
    shingle: Annotated[int, Field(ge=1, le=50)] = 5
    heldout: Annotated[float, Field(gt=0, lt=1)] = 0.2
    seed: int = 0

    @classmethod
    def parse(cls, raw: object) -> CurateRecipe:
        """A recipe from plain data.

        Raises:
            UsageError: a field is missing, unknown or out of range.
        """
        try:
            return cls.model_validate(raw)
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(map(str, first["loc"])) or "its top"
            raise UsageError(f"The recipe is wrong at {field}: {first['msg']}.") from error


@dataclass
class Step:
    """One row of the funnel: what a step saw, removed, and two examples of what it removed."""

    name: str
    documents: int
    removed: int
    characters: int
    examples: list[dict[str, Any]]

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return self.__dict__ | {"kept": self.documents - self.removed}


def curate(store: Store, recipe: CurateRecipe, progress: Progress = silent) -> Artifact:
    """Carry out a recipe; the dataset has `train.parquet`, `heldout.parquet` and `funnel.json`.

    Raises:
        NotFound: there is nothing at the source, or no such rule set.
        UsageError: a rule is wrong, or nothing is left to train on or to measure with.
    """
    rules = [rule for name in recipe.rules for rule in load_rules(name)]
    if unknown := set(recipe.off) - {rule.name for rule in rules}:
        raise UsageError(f"There is no rule {', '.join(sorted(unknown))} to switch off.")
    rules = [rule for rule in rules if rule.enabled and rule.name not in recipe.off]
    corpus = _corpus(store, read(recipe.source), progress)
    signals = _signals(store, corpus, progress)
    settings = recipe.model_dump(mode="json", exclude={"source", "rules", "off"})
    settings["rules"] = [rule.model_dump(mode="json") for rule in rules]

    def build(draft: Draft) -> None:
        documents = pq.read_table(corpus.path("documents.parquet"))
        overlay = pq.read_table(signals.path("signals.parquet"))
        progress("filter", 0, None, "rules and duplicates")
        kept, funnel = _filter(documents, overlay, rules, recipe)
        train, heldout = _split(kept, recipe)
        pq.write_table(train, draft.path("train.parquet"))
        pq.write_table(heldout, draft.path("heldout.parquet"))
        draft.path("funnel.json").write_bytes(orjson.dumps([step.to_dict() for step in funnel]))
        draft.metrics |= {
            "documents": documents.num_rows,
            "train": train.num_rows,
            "heldout": heldout.num_rows,
            "heldout_sources": len(heldout.column("source").unique()),
        }
        draft.license += _named(kept, "license")
        draft.creator += _named(kept, "creator")

    inputs = {"corpus": corpus.digest, "signals": signals.digest}
    return store.make("dataset", build, inputs=inputs, recipe=settings)


# -- the corpus and its signals -----------------------------------------------------------------


def _corpus(store: Store, corpus: Corpus, progress: Progress) -> Artifact:
    def build(draft: Draft) -> None:
        quarantine = Quarantine()
        tables = []
        for i, (name, read_part) in enumerate(corpus.parts):
            progress("read", i, len(corpus.parts), name)
            table, aside = _once(draft.work / f"{i:06}.parquet", read_part)
            tables.append(table)
            quarantine.counts.update(aside["counts"])
            quarantine.examples += aside["examples"]
        documents = pa.concat_tables(tables) if tables else SCHEMA.empty_table()
        if not documents.num_rows:
            raise UsageError(
                f"{corpus.location} holds no documents that can be used "
                f"({sum(quarantine.counts.values())} set aside): give a larger or another source."
            )
        pq.write_table(documents, draft.path("documents.parquet"))
        draft.path("quarantine.json").write_bytes(orjson.dumps(quarantine.to_dict()))
        draft.metrics |= {"documents": documents.num_rows, "quarantined": dict(quarantine.counts)}
        draft.license += _named(documents, "license")
        draft.creator += _named(documents, "creator")

    recipe = {"location": corpus.location, "fingerprint": corpus.fingerprint}
    return store.make("corpus", build, recipe=recipe)


def _once(path: Path, read_part: Callable[[Quarantine], Any]) -> tuple[pa.Table, dict[str, Any]]:
    """A part of the corpus, from disk if an earlier run read it already."""
    if not path.exists():
        quarantine = Quarantine()
        table = pa.Table.from_pylist(list(read_part(quarantine)), schema=SCHEMA)
        aside = {b"quarantine": orjson.dumps(quarantine.to_dict())}
        _write_part(table.replace_schema_metadata(aside), path)
    table = pq.read_table(path)
    aside = orjson.loads(table.schema.metadata[b"quarantine"])
    return table.replace_schema_metadata(None), aside


def _signals(store: Store, corpus: Artifact, progress: Progress) -> Artifact:
    def build(draft: Draft) -> None:
        documents = pq.read_table(corpus.path("documents.parquet"))
        tables = []
        for i, start in enumerate(range(0, documents.num_rows, PART_ROWS)):
            progress("signals", start, documents.num_rows, "documents")
            path = draft.work / f"{i:06}.parquet"
            if not path.exists():
                _write_part(_overlay(documents.slice(start, PART_ROWS)), path)
            tables.append(pq.read_table(path))
        pq.write_table(pa.concat_tables(tables), draft.path("signals.parquet"))
        draft.metrics["documents"] = documents.num_rows

    return store.make("signals", build, inputs={"corpus": corpus.digest}, recipe={"signals": "v1"})


def _overlay(documents: pa.Table) -> pa.Table:
    """All signals of the texts, and under `answer.` those of the answers."""
    table = compute(documents.column("text").to_pylist())
    answers = compute([answer(m) or "" for m in documents.column("metadata").to_pylist()])
    for name in answers.column_names:
        table = table.append_column(f"answer.{name}", answers.column(name))
    return table.add_column(0, "id", documents.column("id"))


def _write_part(table: pa.Table, path: Path) -> None:
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    write_atomically(path, sink.getvalue().to_pybytes())


def answer(metadata: str) -> str | None:
    """The assistant's text in a document's metadata, if it is a conversation."""
    messages = json.loads(metadata or "{}").get("messages")
    return messages[-1]["content"] if messages else None


# -- rules, duplicates, and what is held out ----------------------------------------------------


def _filter(
    documents: pa.Table, overlay: pa.Table, rules: list[Rule], recipe: CurateRecipe
) -> tuple[pa.Table, list[Step]]:
    """What every rule and both kinds of de-duplication leave, and what each removed."""
    kept = np.arange(documents.num_rows)
    funnel: list[Step] = []

    def step(name: str, keep: np.ndarray, values: np.ndarray | None = None) -> None:
        nonlocal kept
        gone = kept[~keep]
        shown = documents.take(gone[:EXAMPLES]).to_pylist()
        examples = [_example(row) for row in shown]
        if values is not None:
            for example, value in zip(examples, values[~keep], strict=False):
                example["value"] = round(float(value), 4)
        texts = documents.column("text").take(pa.array(gone))
        characters = sum(len(text.as_py()) for text in texts)
        funnel.append(Step(name, len(keep), len(gone), characters, examples))
        kept = kept[keep]

    step("conversation", _is_conversation(documents))
    by_line = [rule for rule in rules if rule.on == "line"]
    if by_line:
        documents, emptied = _drop_lines(documents, overlay, by_line)
        step("lines", ~emptied[kept])
    for rule in rules:
        if rule.on == "document":
            values = rule.values(overlay)[kept]
            step(rule.name, rule.passes(values), values)
    texts = documents.column("text").take(pa.array(kept)).to_pylist()
    step("exact duplicates", ~dedup.exact_duplicates(texts))
    if recipe.similarity is not None:
        texts = documents.column("text").take(pa.array(kept)).to_pylist()
        first = dedup.near_duplicates(texts, recipe.similarity, recipe.shingle)
        step("near duplicates", first == np.arange(len(texts)))
    return documents.take(pa.array(kept)), funnel


def _is_conversation(documents: pa.Table) -> np.ndarray:
    return np.array([answer(m) is not None for m in documents.column("metadata").to_pylist()], bool)


def _drop_lines(
    documents: pa.Table, overlay: pa.Table, rules: list[Rule]
) -> tuple[pa.Table, np.ndarray]:
    """The documents without the lines that the rules drop, and which of them are empty now."""
    masks = [
        [rule.passes(np.array(values or [], dtype=float)).tolist() for values in column]
        for rule in rules
        for column in [overlay.column(rule.signal).to_pylist()]
    ]
    texts = [
        keep_lines(text, [mask[i] for mask in masks])
        for i, text in enumerate(documents.column("text").to_pylist())
    ]
    at = documents.schema.get_field_index("text")
    table = documents.set_column(at, "text", pa.array(texts, pa.string()))
    return table, np.array([not text.strip() for text in texts], bool)


def _example(row: dict[str, Any]) -> dict[str, Any]:
    text = " ".join(row["text"].split())
    short = text[:EXAMPLE_CHARACTERS] + ("…" if len(text) > EXAMPLE_CHARACTERS else "")
    return {"id": row["id"], "text": short}


def _split(kept: pa.Table, recipe: CurateRecipe) -> tuple[pa.Table, pa.Table]:
    """Training and held-out documents. A source is on one side only, chosen by its name's hash.

    Raises:
        UsageError: there are too few documents or sources for both.
    """
    sources = sorted(set(kept.column("source").to_pylist()), key=lambda s: _hash(s, recipe.seed))
    if len(sources) < 2 * FEWEST_SOURCES:
        raise UsageError(
            f"{kept.num_rows} documents of {len(sources)} sources are left after the rules, but "
            f"{2 * FEWEST_SOURCES} sources are needed to train on some and measure on others: "
            "give more text, or switch rules off."
        )
    count = max(FEWEST_SOURCES, round(recipe.heldout * len(sources)))
    apart = set(sources[: min(count, len(sources) - FEWEST_SOURCES)])
    mask = pa.array([source in apart for source in kept.column("source").to_pylist()])
    inverse = pa.array([not value for value in mask.to_pylist()])
    return kept.filter(inverse), kept.filter(mask)


def _hash(source: str, seed: int) -> bytes:
    return hashlib.sha256(f"{seed}:{source}".encode()).digest()


def _named(documents: pa.Table, column: str) -> Iterator[str]:
    return (name for name in documents.column(column).unique().to_pylist() if name)
