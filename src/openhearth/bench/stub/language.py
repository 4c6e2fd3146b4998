"""A language of known probabilities: what follows a text is a function of its beginning and end.

The logits of the next token are normal numbers whose seed is a hash of the *topic* (what was asked)
and of the last three words. So any text can be scored, whoever wrote it, and an answer depends on
its question. In one context of `Answering.length` the end is next to certain, and in all others
next to impossible, so that the lengths of answers are geometric, greedy or not.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from openhearth.bench.stub.truth import Answering
from openhearth.inference.request import Sampling
from openhearth.inference.sampler import Choice, Draw, describe, sample_row

Floats = npt.NDArray[np.float32]

END = 0
SYLLABLES = re.findall("..", "badefigohukaleminopurasetivowuze")
WORDS = ["", *(f" {a}{b}" for a in SYLLABLES for b in SYLLABLES)]  # of the tokens
TOKENS = {word: token for token, word in enumerate(WORDS)}
ABOUT = 8  # words at the beginning that say what a text without `ANSWER` is about
ANSWER = "\nassistant:"  # after which an answer begins
SURE = 15.0  # logit of an end that is certain
PIECE = re.compile(r"\s*\S+")


def render(messages: Sequence[Mapping[str, Any]]) -> str:
    """A conversation as the text whose continuation is the answer."""
    lines = (f"\n{message.get('role', '')}: {_content(message)}" for message in messages)
    return "".join(lines) + ANSWER


def _content(message: Mapping[str, Any]) -> str:
    content = message.get("content") or ""
    if not isinstance(content, str):
        content = " ".join(str(part.get("text", "")) for part in content)
    calls = message.get("tool_calls") or ()
    return content + "".join(f" {call['function']}" for call in calls)


def split(text: str) -> list[str]:
    """Its tokens: words, each with the space before it."""
    return PIECE.findall(text)


BEGINNING = " ".join(word.strip() for word in split(ANSWER))  # no answer of a chat is empty


class Language:
    """The probabilities of one `Answering`."""

    def __init__(self, answering: Answering) -> None:
        self._answering = answering
        self._mixed = lru_cache(16_384)(self._mix)

    def logits(self, topic: str, last: Sequence[str]) -> Floats:
        """Of the next token [len(WORDS)], after a topic and the last words."""
        return self._mixed(topic, " ".join(word.strip() for word in last[-3:]))

    def answer(
        self, prompt: str, sampling: Sampling, seed: int, top: int | None = None
    ) -> Iterator[Choice]:
        """Tokens, the end included, chosen as docs/reference/sampling.md says; each with its
        log-probability and the `top` likeliest.
        """
        words, about = split(prompt), topic(prompt)
        for _ in range(sampling.max_tokens):
            about = topic("".join(words)) if len(words) <= ABOUT else about
            logits = self.logits(about, words)
            choice = sample_row(logits, Draw(sampling, seed, len(words)))
            if top is not None:
                choice = describe(logits, choice.token, top)
            yield choice
            if choice.token == END:
                return
            words.append(WORDS[choice.token])

    def score(self, text: str, top: int = 0) -> list[tuple[str, Choice | None]]:
        """What this language makes of each word of a text after the first `ANSWER`, or of all;
        None for what is no word of it.
        """
        head, marker, tail = text.rpartition(ANSWER)
        before, about = split(head + marker), topic(text)
        scored: list[tuple[str, Choice | None]] = []
        for word in split(tail):
            about = topic("".join(before)) if len(before) < ABOUT else topic(text)
            token = TOKENS.get(word)
            logits = self.logits(about, before)
            scored.append((word, None if token is None else describe(logits, token, top)))
            before.append(word)
        return scored

    def _mix(self, topic: str, last: str) -> Floats:
        mine = self._answering
        logits = self._of(mine.seed, topic, last)
        if mine.other:
            logits = (1 - mine.other) * logits + mine.other * self._of(mine.seed + 1, topic, last)
        if mine.sigma:
            noise = rng_of("noise", mine.seed, topic, last).standard_normal(len(WORDS), np.float32)
            logits = logits + np.float32(mine.sigma) * noise
        return logits.astype(np.float32)

    def _of(self, seed: int, topic: str, last: str) -> Floats:
        rng = rng_of("logits", seed, topic, last)
        logits = np.float32(self._answering.sharpness) * rng.standard_normal(len(WORDS), np.float32)
        ends = rng.random() < 1 / self._answering.length and not last.endswith(BEGINNING)
        logits[END] = logits.max() + SURE if ends else -SURE
        return logits


def topic(text: str) -> str:
    """What a text is about: all before its answer, or its first words."""
    head, marker, _ = text.rpartition(ANSWER)
    about = head if marker else "".join(split(text[:1000])[:ABOUT])
    return hashlib.blake2b(about.encode(errors="replace"), digest_size=8).hexdigest()


def share_of(what: str, *of: object) -> float:
    """A number from 0 to 1 that depends on these alone."""
    return float(rng_of(what, *of).random())


def rng_of(*of: object) -> np.random.Generator:
    """Random numbers that depend on these alone."""
    digest = hashlib.blake2b("\0".join(map(str, of)).encode(errors="replace"), digest_size=16)
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest.digest(), "little")))
