"""datatrove's filters on the documents of a file, in its own environment; see `data_rules.py`.

Reads `[FILE]` a line and writes `[SECONDS, {SET: [KEPT, …]}]`. FILE is a JSON list of texts.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from datatrove.data import Document
from datatrove.pipeline.filters import (
    C4QualityFilter,
    FineWebQualityFilter,
    GopherQualityFilter,
    GopherRepetitionFilter,
)
from datatrove.pipeline.filters.base_filter import BaseFilter

FILTERS = {
    "c4": C4QualityFilter(),
    "gopher-quality": GopherQualityFilter(),
    "gopher-repetition": GopherRepetitionFilter(),
    "fineweb": FineWebQualityFilter(),
}


def kept(which: BaseFilter, text: str) -> bool:
    """Whether a filter keeps a document. C4's writes what it leaves into it, so each is new."""
    verdict = which.filter(Document(text=text, id=""))
    return bool(verdict[0] if isinstance(verdict, tuple) else verdict)


for line in sys.stdin:
    texts = json.loads(Path(json.loads(line)[0]).read_text())
    start = time.perf_counter()
    verdicts = {name: [kept(which, text) for text in texts] for name, which in FILTERS.items()}
    print(json.dumps([time.perf_counter() - start, verdicts]))
