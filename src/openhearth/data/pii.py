"""Personal data in text, found and masked: e-mail addresses, telephone numbers, IPv4 addresses.

`PATTERNS` say what is meant, and `native/pii.cpp` finds the same. They are simple, as Dolma's are:
ten digits in a row are a telephone number, even where they are an ISBN or a time.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

_OCTET = r"(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)"
_HOST = r"@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+"
# Matched from left to right, in ASCII; of those that begin at one place, the first counts.
PATTERNS = {
    "EMAIL_ADDRESS": rf"[A-Za-z0-9._%+-]+{_HOST}",
    "IP_ADDRESS": rf"(?<![\w.])(?:{_OCTET}\.){{3}}{_OCTET}(?!\.?\w)",
    "PHONE_NUMBER": r"(?<![\w.])\(?\d{3}\)?[-. ]?\d{3}[-. ]?\d{4}(?!\w)",
}
LOCAL = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._%+-"  # before an @
HOST = re.compile(_HOST)
NUMBER = re.compile(
    "|".join(f"(?P<{kind}>{PATTERNS[kind]})" for kind in ("IP_ADDRESS", "PHONE_NUMBER")), re.ASCII
)


@dataclass(frozen=True)
class Match:
    """Characters [begin, end) of a text, and what they are."""

    begin: int
    end: int
    kind: str


def find_pii(text: str) -> list[Match]:
    """What is found, from left to right, without overlaps."""
    found: list[Match] = []
    mail, number = _next_mail(text, 0), _next_number(text, 0)
    while first := min(filter(None, (mail, number)), key=lambda match: match.begin, default=None):
        found.append(first)
        if mail and mail.begin < first.end:
            mail = _next_mail(text, first.end)
        if number and number.begin < first.end:
            number = _next_number(text, first.end)
    return found


def mask_pii(text: str, matches: Iterable[Match] | None = None) -> str:
    """The text with a mark such as `|||EMAIL_ADDRESS|||` for each match, as Dolma writes them."""
    pieces, done = [], 0
    for match in find_pii(text) if matches is None else matches:
        pieces += [text[done : match.begin], f"|||{match.kind}|||"]
        done = match.end
    return "".join([*pieces, text[done:]])


def _next_number(text: str, begin: int) -> Match | None:
    found = NUMBER.search(text, begin)
    return found and Match(found.start(), found.end(), str(found.lastgroup))


def _next_mail(text: str, begin: int) -> Match | None:
    # From the @ backwards: the pattern alone would try each letter of a long word as a beginning.
    for host in HOST.finditer(text, begin):
        at = host.start()
        open_ = max(begin, text.rfind("@", begin, at) + 1)
        first = open_ + len(text[open_:at].rstrip(LOCAL))
        if first < at:
            return Match(first, host.end(), "EMAIL_ADDRESS")
    return None
