"""An answer that keeps the rules of a question: without sense, but it shows that there is one."""

from __future__ import annotations

import json
from itertools import cycle, islice
from typing import Any

from openhearth.bench.workloads.lexicon import nouns

WORDS_A_PIECE = 4
# How the words of a piece become it, and how pieces are joined.
FORMS = {
    "sentences": ("{}.", " "),
    "lines": ("{}", "\n"),
    "items": ("- {}", "\n"),
    "paragraphs": ("{}", "\n\n"),
}


def example(rules: list[tuple[str, Any]]) -> str:
    """Made of nouns: the first and the last as told, the word to be used after the first."""
    told = dict(rules)
    if "keys" in told:
        return json.dumps(dict.fromkeys(told["keys"], "yes"))
    pieces = next((told[form] for form in FORMS if form in told), 1)
    count = told.get("at_least", WORDS_A_PIECE * pieces)
    allowed = [noun for noun in nouns() if told.get("without", " ") not in noun]
    said = list(islice(cycle(allowed), count))
    said[0], said[1] = told.get("first", said[0]), told.get("contains", said[1])
    said[-1] = told.get("last", said[-1])
    form, join = next((FORMS[form] for form in FORMS if form in told), ("{}", " "))
    size = len(said) // pieces
    text = join.join(form.format(" ".join(said[i * size : (i + 1) * size])) for i in range(pieces))
    return text.upper() if "upper" in told else text
