"""RedPajama-V2's own signals of the documents of a file, in its own environment; see
`data_signals.py`.

Takes the folder `app/src` of its repository and one of its word lists. Reads `[FILE]` a line, a
JSON list of texts, and writes `[SECONDS, [{SIGNAL: [[START, END, VALUE], …]}, …]]`.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

sys.path.insert(0, sys.argv[1])

from core.document import Document
from core.quality_signals.content import register_content_callables
from core.quality_signals.lines import register_lines_callables
from core.quality_signals.natural_language import register_natural_language_callables
from core.quality_signals.repetitions import register_repetitions_callables

lists = Path(sys.argv[2])
CALLABLES = [
    *register_content_callables(language="en", bad_urls_dir=lists, bad_words_dir=lists),
    *register_repetitions_callables(),
    *register_natural_language_callables(),
    *register_lines_callables(),
]


def signals(text: str) -> dict[str, object]:
    document = Document(text, domain=None, precompute_ngrams=True)
    return {signal.field_name: signal(document) for signal in CALLABLES}


for line in sys.stdin:
    texts = json.loads(Path(json.loads(line)[0]).read_text())
    start = time.perf_counter()
    values = [signals(text) for text in texts]
    print(json.dumps([time.perf_counter() - start, values]))
