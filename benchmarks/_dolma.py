"""Dolma's side of `data_dedup.py`, its deduper, in an environment of its own.

A line of JSON, `[file of documents, work, alone]`, is answered by `[seconds, how many were found]`,
from file to attributes. Of the search alone it is what that takes longer than a run that compares
nothing, because all is too short for it.
"""

from __future__ import annotations

import gzip
import json
import os
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

os.environ.setdefault("RUST_LOG", "error")

from dolma import deduper

NAME = "copies"
PARTS: dict[str, dict[str, Any]] = {
    "exact": {"documents": {"attribute_name": NAME, "key": "$.text"}},
    "paragraphs": {"paragraphs": {"attribute_name": NAME}},
}


def dedupe(work: str, file: Path, min_length: int) -> tuple[float, int]:
    """Seconds, and how many attributes say that something stood before."""
    with TemporaryDirectory() as folder:
        here = Path(folder)
        documents = here / "documents"
        documents.mkdir()
        (documents / file.name).symlink_to(file)
        config = {
            "documents": [str(documents / file.name)],
            "dedupe": {"name": NAME, "skip_empty": True, "min_length": min_length} | PARTS[work],
            "bloom_filter": {
                "file": str(here / "filter"),
                "read_only": False,
                "size_in_bytes": 0,
                "estimated_doc_count": 2_000_000,
                "desired_false_positive_rate": 1e-3,
            },
            "work_dir": {"input": str(here / "in"), "output": str(here / "out")},
            "processes": 1,
        }
        start = time.perf_counter()
        deduper(config)
        taken = time.perf_counter() - start
        with gzip.open(here / "attributes" / NAME / file.name) as lines:
            found = sum(len(json.loads(line)["attributes"].get(NAME, ())) for line in lines)
    return taken, found


for line in sys.stdin:
    file, work, alone = json.loads(line)
    idle = dedupe(work, Path(file), sys.maxsize)[0] if alone else 0.0
    taken, found = dedupe(work, Path(file), 0)
    print(json.dumps([taken - idle, found]), flush=True)
