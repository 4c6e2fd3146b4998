"""`summary`: a text in a few sentences."""

from __future__ import annotations

from openhearth.bench.workloads.lengths import fill
from openhearth.bench.workloads.request import Draft, Spec, chat_body, nonce, said, words
from openhearth.bench.workloads.texts import paragraphs


def summary(spec: Spec) -> Draft:
    """The text comes first, as most people paste it."""
    start = nonce(spec.rng, spec.writer.names)
    ask = f"Summarise the text above in a few sentences, in about {words(spec.answer)} words."
    room = spec.prompt - spec.count(f"{start} {ask}")
    text = paragraphs(fill(spec.sentence, spec.count, room))
    return Draft(chat_body([said("user", start, text, ask)], spec.answer))
