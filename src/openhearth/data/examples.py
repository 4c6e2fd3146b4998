"""Documents as questions and answers, which is what tuning learns from.

A chat is one already. A Python file becomes its functions, each asked for its docstring; any other
text becomes passages, each asked for what follows.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import pyarrow as pa

from openhearth.data.functions import functions
from openhearth.data.schema import Block, Corpus, Part, Quarantine, Row, to_batch

INSTRUCTION = "Continue this text."
PASSAGE_CHARACTERS = 700
ANSWER_CHARACTERS = 300
SENTENCE_END = re.compile(r"(?<=[.!?])\s+")


def to_examples(corpus: Corpus) -> Corpus:
    """The examples that documents make; their ids are the document's, `#`, and which one it is."""
    parts = [Part(part.name, partial(_read, part)) for part in corpus.parts]
    return replace(corpus, parts=parts)


def document_of(identity: str) -> str:
    """The id of the document that an example, or a document, is of."""
    return identity.partition("#")[0]


def _read(part: Part, quarantine: Quarantine) -> Iterator[Block]:
    return map(Examples, part.read(quarantine))


@dataclass(frozen=True)
class Examples:
    """The examples that a block of documents makes."""

    documents: Block

    def batch(self, quarantine: Quarantine) -> pa.RecordBatch:
        """They, in the documents' order."""
        documents = self.documents.batch(quarantine).to_pylist()
        return to_batch([e for row in documents for e in _examples(row, quarantine)], quarantine)


def answer(metadata: str | None) -> str | None:
    """The assistant's text in a document's metadata, if it is a conversation."""
    messages = json.loads(metadata or "{}").get("messages")
    return messages[-1]["content"] if messages else None


def _examples(row: Row, quarantine: Quarantine) -> Iterator[Row]:
    metadata = json.loads(row["metadata"] or "{}")
    if "messages" in metadata:
        yield row
    elif metadata.get("language") == "python":
        for name, text, messages in functions(row["text"], row["id"], quarantine):
            yield _example(row, name, text, messages)
    else:
        for number, (passage, following) in enumerate(passages(row["text"])):
            ask = f"{INSTRUCTION}\n\n{passage[-2 * PASSAGE_CHARACTERS :]}"
            yield _example(
                row, str(number), f"{passage} {following}", ask_and_answer(ask, following)
            )


def ask_and_answer(question: str, reply: str) -> list[dict[str, str]]:
    """A conversation of two turns."""
    return [{"role": "user", "content": question}, {"role": "assistant", "content": reply}]


def passages(text: str) -> Iterator[tuple[str, str]]:
    """Passages of `text` with the sentences that follow them; they do not overlap."""
    sentences = iter([s for s in SENTENCE_END.split(" ".join(text.split())) if s])
    passage: list[str] = []
    for sentence in sentences:
        passage.append(sentence)
        if sum(map(len, passage)) < PASSAGE_CHARACTERS:
            continue
        reply, rest = "", ""
        for rest in sentences:
            longer = f"{reply} {rest}".strip()
            if len(longer) > ANSWER_CHARACTERS:
                break
            reply, rest = longer, ""
        if reply:
            yield " ".join(passage), reply
        passage = [rest] if rest else []


def _example(row: Row, name: str, text: str, messages: list[dict[str, Any]]) -> Row:
    metadata = json.dumps({"messages": messages}, ensure_ascii=False, sort_keys=True)
    return row | {"id": f"{row['id']}#{name}", "text": text, "metadata": metadata}
