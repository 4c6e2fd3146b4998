"""What the questions were answered: always the same, whoever else was there."""

from __future__ import annotations

import threading
from collections import Counter

from openhearth.inference import Answer

Key = tuple[int, int]  # a question's number and a choice's
WHOLE = ("stop", "length")


class Record:
    """The first answer to each question, and how many requests ended how. For many threads."""

    def __init__(self) -> None:
        self._answers: dict[Key, Answer] = {}
        self._lock = threading.Lock()
        self.ends: Counter[str] = Counter()
        self.tokens = 0

    def count(self, end: str, tokens: int = 0) -> None:
        """One more request has ended so."""
        with self._lock:
            self.ends[end] += 1
            self.tokens += tokens

    @property
    def requests(self) -> int:
        """How many have ended."""
        return self.ends.total()

    @property
    def known(self) -> list[Key]:
        """What was answered to the end."""
        return list(self._answers)

    def check(self, key: Key, answer: Answer) -> None:
        """Compare with the first answer, if cancelled so far as it came, or keep it as that."""
        whole = answer.finish_reason in WHOLE
        with self._lock:
            known = self._answers.setdefault(key, answer) if whole else self._answers.get(key)
        if known is None:
            return
        count = len(answer.tokens)
        assert answer.tokens == known.tokens[:count], key
        assert answer.logprobs == known.logprobs[:count], key
        if whole:
            assert count == len(known.tokens), key
            assert (answer.text, answer.finish_reason) == (known.text, known.finish_reason), key

    def check_text(self, key: Key, text: str) -> None:
        """The same for the text alone."""
        known = self._answers.get(key)
        assert known is None or text == known.text, key
