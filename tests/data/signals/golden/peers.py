"""Writes `datatrove.json`: what datatrove's own functions say of `documents.jsonl`. See
`README.md`.

Usage: python peers.py, where datatrove and spaCy are installed.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


def digest(words: Sequence[str]) -> str:
    """What tells these words from others."""
    return hashlib.sha256("\0".join(words).encode()).hexdigest()[:16]


def numbers(text: str) -> dict[str, Any]:
    """The numbers that the filters of Gopher and FineWeb judge, under the names of our signals."""
    from datatrove.pipeline.filters import gopher_repetition_filter as repetition
    from datatrove.pipeline.filters.fineweb_quality_filter import FineWebQualityFilter
    from datatrove.utils.text import PUNCTUATION_SET, split_into_words

    words = split_into_words(text, "eng")
    plain = [word for word in words if any(c not in PUNCTUATION_SET for c in word)]
    lines = re.split("\n+", text)
    paragraphs = re.split(r"\n{2,}", text.strip())
    line_count, line_characters = repetition.find_duplicates(lines)
    paragraph_count, paragraph_characters = repetition.find_duplicates(paragraphs)
    found: dict[str, Any] = {
        "oh_dup_line_frac": line_count / len(lines),
        "oh_dup_line_char_frac": line_characters / len(text),
        "oh_dup_para_frac": paragraph_count / len(paragraphs),
        "oh_dup_para_char_frac": paragraph_characters / len(text),
        "gopher_word_count": len(plain),
        "gopher_mean_word_length": sum(map(len, plain)) / len(plain) if plain else None,
    }
    if words:
        found["oh_newline_word_ratio"] = text.count("\n") / len(words)
        found["gopher_alphabetic_words"] = sum(any(map(str.isalpha, w)) for w in words) / len(words)
    for n in (2, 3, 4):
        if grams := repetition.get_n_grams(words, n):
            found[f"gopher_top_{n}gram"] = repetition.find_top_duplicate(grams) / len(text)
    for n in range(5, 11):
        found[f"gopher_dupe_{n}grams"] = repetition.find_all_duplicate(words, n) / len(text)
    kept = [line for line in text.split("\n") if line.strip()]
    if kept:
        ends = FineWebQualityFilter().stop_chars
        again = repetition.find_duplicates(kept)[1]
        found["fineweb_terminal_lines"] = sum(line.endswith(ends) for line in kept) / len(kept)
        found["fineweb_short_lines"] = sum(len(line) <= 30 for line in kept) / len(kept)
        found["fineweb_dup_line_chars"] = again / len(text.replace("\n", ""))
    rounded = {name: value and round(value, 8) for name, value in found.items()}
    return {"words": digest(words), **rounded}


def main() -> None:
    """Runs them on the English documents that are not empty."""
    golden = {}
    for line in (HERE / "documents.jsonl").read_text().splitlines():
        record = json.loads(line)
        if record["language"] == "en" and record["raw_content"]:
            golden[record["id"]] = numbers(record["raw_content"])
    rows = (f"{json.dumps(name)}: {json.dumps(row)}" for name, row in golden.items())
    (HERE / "datatrove.json").write_text("{\n" + ",\n".join(rows) + "\n}\n")


if __name__ == "__main__":
    main()
