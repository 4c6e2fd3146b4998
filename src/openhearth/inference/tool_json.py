"""The JSON of a tool call, of which at first only the beginning is there."""

from __future__ import annotations

import json

SPACE = " \t\r\n"
# What JSON is made of, outside its strings.
OUTSIDE = frozenset("{}[]:,+-.0123456789truefalsnE" + SPACE)
OPENING, CLOSING = frozenset("{["), frozenset("}]")
ARGUMENTS = ("arguments", "parameters")


class Brackets:
    """How deep in brackets a place in a JSON text is, and whether within a string."""

    def __init__(self) -> None:
        self.depth = 0
        self.quoted = self._escaped = False

    def read(self, character: str) -> bool:
        """Go on by a character; False if it is no part of JSON, or empty."""
        if self.quoted and character:
            self.quoted = self._escaped or character != '"'
            self._escaped = character == "\\" and not self._escaped
            return True
        self.quoted = character == '"'
        self.depth += (character in OPENING) - (character in CLOSING)
        return self.quoted or character in OUTSIDE


def name_in(head: str) -> str | None:
    """The name of a call whose JSON up to here is `head`, if its arguments come next."""
    try:
        members = json.loads(head + " 0}")
    except (ValueError, RecursionError):
        return None
    name = members.get("name")
    begun = next(reversed(members)) in ARGUMENTS
    return name if begun and isinstance(name, str) and name else None


def whole_call(text: str) -> tuple[str, str] | None:
    """Name and arguments of a call whose JSON is `text`; None if it is no call."""
    try:
        members = _members(text)
    except (ValueError, RecursionError):
        return None
    name = json.loads(members.get("name", "null"))
    arguments = next((members[key] for key in ARGUMENTS if key in members), "")
    if not isinstance(name, str) or not name or not arguments.startswith("{"):
        return None
    return name, arguments


def _members(text: str) -> dict[str, str]:
    """The members of a JSON object as they are written."""
    json.loads(text)
    members: dict[str, str] = {}
    decode, place = json.JSONDecoder().raw_decode, _skip(text, 1)
    while text[place] != "}":
        key, place = decode(text, place)
        place = _skip(text, _skip(text, place) + 1)
        _, end = decode(text, place)
        members[key] = text[place:end]
        place = _skip(text, end)
        place = _skip(text, place + (text[place] == ","))
    return members


def _skip(text: str, place: int) -> int:
    while text[place] in SPACE:
        place += 1
    return place
