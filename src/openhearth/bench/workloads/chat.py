"""`chat`, and `batch`, which differs from it only in when it is due: a question, after up to three
turns.
"""

from __future__ import annotations

from itertools import pairwise

from openhearth.bench.workloads.lengths import fill
from openhearth.bench.workloads.request import Draft, Spec, chat_body, nonce, said, words
from openhearth.bench.workloads.texts import paragraphs

MOST_TURNS = 3  # before the question
LEAST = 60  # tokens of an earlier turn


def chat(spec: Spec) -> Draft:
    """What was told and said before is as long as the prompt's length leaves room for."""
    rng, writer = spec.rng, spec.writer
    start = nonce(rng, writer.names)
    ask = f"{writer.phrase('question')} Answer in about {words(spec.answer)} words."
    room = spec.prompt - spec.count(f"{start} {ask}")
    turns = min(rng.randint(0, MOST_TURNS), max(0, room) // LEAST)
    openings = [writer.phrase("opening"), *(writer.phrase("following") for _ in range(turns))]
    replies = [writer.phrase("reply") for _ in range(turns)]
    room -= spec.count(" ".join([*openings, *replies]))
    parts = _share_out(fill(spec.sentence, spec.count, room), 2 * turns + 1)
    messages = []
    for number in range(turns):
        said_so_far = paragraphs(parts[2 * number])
        messages.append(said("user", openings[number], said_so_far))
        messages.append(said("assistant", replies[number], paragraphs(parts[2 * number + 1])))
    messages.append(said("user", openings[-1], paragraphs(parts[-1]), ask))
    messages[0]["content"] = f"{start} {messages[0]['content']}"
    return Draft(chat_body(messages, spec.answer))


def _share_out(sentences: list[str], parts: int) -> list[list[str]]:
    """In their order, as evenly as can be."""
    ends = [len(sentences) * number // parts for number in range(parts + 1)]
    return [sentences[a:b] for a, b in pairwise(ends)]
