"""Text files and folders of them: bounded, and unreadable ones set aside.

A passage of prose becomes a question, "continue this text", and the sentences after it the answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from openhearth.data.schema import Quarantine, document

LARGEST = 4 << 20  # bytes of one file
INSTRUCTION = "Continue this text."
PASSAGE_CHARACTERS = 700
ANSWER_CHARACTERS = 300
SENTENCE_END = re.compile(r"(?<=[.!?])\s+")


def read_text(path: Path, name: str, quarantine: Quarantine) -> str | None:
    """The text of a file, or None if it was set aside."""
    try:
        if not path.is_file():
            quarantine.add("missing", name)
            return None
        if path.stat().st_size > LARGEST:
            quarantine.add(f"larger than {LARGEST >> 20} MiB", name)
            return None
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        quarantine.add("not UTF-8 text", name)
        return None
    except OSError as error:
        quarantine.add(error.strerror or "unreadable", name)
        return None
    if "\0" in text:
        quarantine.add("binary", name)
        return None
    return text


def documents(text: str, identity: str, source: str) -> Iterator[dict[str, Any]]:
    """Passages of `text` with the sentences that follow them; the passages do not overlap."""
    sentences = [s for s in SENTENCE_END.split(" ".join(text.split())) if s]
    passage: list[str] = []
    number = 0
    while sentences:
        passage.append(sentences.pop(0))
        if sum(map(len, passage)) < PASSAGE_CHARACTERS:
            continue
        answer: list[str] = []
        while sentences and len(" ".join([*answer, sentences[0]])) <= ANSWER_CHARACTERS:
            answer.append(sentences.pop(0))
        if answer:
            yield _example(f"{identity}#{number}", " ".join(passage), " ".join(answer), source)
            number += 1
        passage = []


def _example(identity: str, passage: str, answer: str, source: str) -> dict[str, Any]:
    ask = f"{INSTRUCTION}\n\n{passage[-2 * PASSAGE_CHARACTERS :]}"
    messages = [{"role": "user", "content": ask}, {"role": "assistant", "content": answer}]
    return document(identity, f"{passage} {answer}", source, messages=messages)
