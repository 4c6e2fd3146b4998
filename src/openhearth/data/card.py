"""A dataset's card: what it was made from, by whom, under which terms, and what was removed.

Markdown with the YAML head that the Hugging Face hub reads (its dataset card specification), so
that a folder of shards with this file as README.md is a dataset there too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pyarrow.parquet as pq
import yaml

from openhearth.data.funnel import never_fired
from openhearth.errors import UsageError
from openhearth.store import Artifact, lineage

SPLITS = ("train", "heldout")
COLUMNS = ("source", "license", "creator", "lang")
SHOWN = 25  # rows of a table; the rest is summed up


def card(dataset: Artifact, name: str) -> str:
    """The card of a curated dataset, from its shards, its funnel and its lineage.

    Raises:
        UsageError: it is no curated dataset.
    """
    if dataset.kind != "dataset" or "funnel.json" not in dataset.manifest.files:
        raise UsageError(f"{name} ({dataset.kind}) is no curated dataset: name one.")
    counts = {split: _counts(dataset, split) for split in SPLITS}
    both = {column: counts["train"][column] + counts["heldout"][column] for column in COLUMNS}
    rows = {split: counts[split]["source"].total() for split in SPLITS}
    funnel = dataset.read_json("funnel.json")
    sections = [
        f"---\n{yaml.safe_dump(_head(name, both, rows), sort_keys=False, allow_unicode=True)}---\n",
        f"# {name}\n",
        f"{rows['train']} documents to train on and {rows['heldout']} held out by "
        f"{dataset.manifest.metrics['held_out_by']}, of {dataset.manifest.metrics['documents']} "
        f"that were read.\n",
        "## Sources\n\n" + _table("source", both["source"]),
        "## Licences\n\n" + _table("licence", both["license"]),
        "## Creators\n\n" + _table("creator", both["creator"]),
        "## What each step removed\n\n" + _funnel(funnel),
        "## Lineage\n\n```text\n" + lineage(dataset).tree() + "\n```\n",
        "## Takedown\n\n`hearth data forget` makes this dataset without the documents of an id, a "
        "URL or a creator, and rewrites only the shards that held them.\n",
    ]
    return "\n".join(sections)


def _counts(dataset: Artifact, split: str) -> dict[str, Counter[str]]:
    """How many documents have each value of a column."""
    found: dict[str, Counter[str]] = {column: Counter() for column in COLUMNS}
    for name in sorted(dataset.manifest.files):
        if name.startswith(f"{split}/"):
            table = pq.read_table(dataset.path(name), columns=list(COLUMNS))
            for column in COLUMNS:
                for entry in table.column(column).value_counts().to_pylist():
                    found[column][entry["values"] or "(unknown)"] += entry["counts"]
    return found


def _head(name: str, both: dict[str, Counter[str]], rows: dict[str, int]) -> dict[str, Any]:
    languages = sorted(k for k in both["lang"] if k != "(unknown)")
    licenses = sorted(k for k in both["license"] if k != "(unknown)")
    return {
        "pretty_name": name,
        "language": languages or ["und"],
        "license": "other",
        "license_name": " AND ".join(licenses)[:200] or "unknown",
        "configs": [
            {
                "config_name": "default",
                "data_files": [{"split": s, "path": f"{s}/*.parquet"} for s in SPLITS],
            }
        ],
        "dataset_info": {"splits": [{"name": s, "num_examples": rows[s]} for s in SPLITS]},
    }


def _table(head: str, counts: Counter[str]) -> str:
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    lines = [f"| {head} | documents |", "|---|---:|"]
    lines += [f"| {_cell(value)} | {count} |" for value, count in ordered[:SHOWN]]
    if rest := ordered[SHOWN:]:
        lines.append(f"| {len(rest)} more | {sum(count for _, count in rest)} |")
    return "\n".join(lines) + "\n"


def _funnel(rows: Sequence[dict[str, Any]]) -> str:
    lines = ["| step | kept | documents removed | lines removed |", "|---|---:|---:|---:|"]
    lines += [f"| {_cell(r['name'])} | {r['kept']} | {r['removed']} | {r['lines']} |" for r in rows]
    if idle := never_fired(rows):
        lines.append(f"\nThese removed nothing: {', '.join(idle)}.")
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    """Text that ends no cell of a table."""
    return " ".join(text.split()).replace("|", "\\|")
