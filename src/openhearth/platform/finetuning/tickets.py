"""Addresses that are a permission for a while, signed by this process."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time

SECONDS = 3600


class Tickets:
    """Signs words, and knows what it has signed."""

    def __init__(self) -> None:
        self._secret = secrets.token_bytes(32)

    def sign(self, word: str) -> tuple[str, int]:
        """A ticket for a word without dots, and until when (UTC seconds) it is good."""
        until = int(time.time()) + SECONDS
        return f"{word}.{until}.{self._signature(word, str(until))}", until

    def read(self, ticket: str) -> str | None:
        """The word of a ticket; None if it is none of ours, or its time is over."""
        word, _, rest = ticket.partition(".")
        until, _, signature = rest.partition(".")
        if not hmac.compare_digest(signature.encode(), self._signature(word, until).encode()):
            return None
        return word if int(until) >= time.time() else None

    def _signature(self, *parts: str) -> str:
        text = ".".join(parts).encode(errors="replace")
        return hmac.new(self._secret, text, hashlib.sha256).hexdigest()
