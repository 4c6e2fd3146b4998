"""Places of answers at which two models spoke of the same next token (rule 32).

Two servers that were asked the same may be compared token by token for as long as their answers
agree, and once more where they part. A reference that has scored an answer's own tokens is compared
at all of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from openhearth.bench.gate.agreement import Named, Place, chance
from openhearth.bench.records import Record

Token = Mapping[str, Any]  # `{token, bytes, logprob, top_logprobs}`
UNKNOWN = "\ufffd"  # in the text of a token that is half a character


def places(served: Record, reference: Record, answer: int) -> Iterator[Place]:
    """Those at which both have the same text before them, and the likeliest token of the served
    model has a text. Damaged log-probabilities end it.
    """
    for ours, theirs in zip(served.logprobs, reference.logprobs, strict=False):
        mine, other = named(ours), named(theirs)
        if not mine or not other:
            return
        drawn, unseen = text_of(ours), hidden(ours)
        if unseen < chance(max(mine.values())):
            yield Place(answer, mine, other, drawn, unseen)
        if drawn != text_of(theirs):
            return


def named(token: Token) -> Named:
    """The likeliest tokens that a server told of at a place; none if it told nothing of use.

    A token that was drawn, and is not among them, is left out: others may be likelier.
    """
    found: dict[str, float] = {}
    for text, logprob in _told(token):
        if _has_text(text):
            found.setdefault(text, logprob)
    return found


def hidden(token: Token) -> float:
    """The chance of the likeliest of them that has no text; 0 if all have one.

    Half characters are told so by some servers, and special tokens by llama.cpp's.
    """
    without = [chance(value) for text, value in _told(token) if not _has_text(text)]
    return max(without, default=0.0)


def _told(token: Token) -> Iterator[tuple[str, float]]:
    told = token.get("top_logprobs")
    for one in told if isinstance(told, list) and told else (token,):
        if isinstance(one, Mapping) and isinstance(logprob := one.get("logprob"), int | float):
            yield text_of(one), float(logprob)


def _has_text(text: str) -> bool:
    return text != "" and UNKNOWN not in text


def text_of(token: Token) -> str:
    """What it adds to an answer: its bytes, where a server tells them."""
    raw = token.get("bytes")
    if isinstance(raw, list):
        try:
            return bytes(raw).decode("utf-8", "replace")
        except (ValueError, TypeError):
            pass
    return str(token.get("token", ""))
