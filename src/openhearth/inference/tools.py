"""Tool calls in an answer, found while it streams.

Models write calls as JSON behind a marker of their family. A call is given once it is complete and
sound; what looked like one and was not comes out as the text that it is. So text is held back
while a call may be under way, and the outcome does not depend on how the text was cut into pieces.
"""

from __future__ import annotations

import json
import secrets
import string
from collections.abc import Iterator
from dataclasses import dataclass, field

SPACE = " \t\r\n"
# What JSON is made of, outside its strings.
OUTSIDE = frozenset("{}[]:,+-.0123456789truefalsnE" + SPACE)


@dataclass(frozen=True)
class Format:
    """How a family of models writes its calls: `opening`, JSON, `closing`.

    The JSON begins with `bracket`: an object is one call, an array several. `bare` models may also
    begin an answer with the JSON alone, and part calls by semicolons. A call names its `arguments`
    so.
    """

    opening: str
    bracket: str
    closing: str = ""
    bare: bool = False
    arguments: str = "arguments"


FORMATS = {
    "hermes": Format("<tool_call>", "{", "</tool_call>"),
    "llama3": Format("<|python_tag|>", "{", bare=True, arguments="parameters"),
    "mistral": Format("[TOOL_CALLS]", "["),
}


def format_of(chat_template: str) -> Format | None:
    """The format that a model's chat template teaches, if it is a known one."""
    for form in FORMATS.values():
        if form.opening in chat_template:
            return form
    # Smaller Llamas are told of the JSON in words.
    if '"parameters"' in chat_template and "<|start_header_id|>" in chat_template:
        return FORMATS["llama3"]
    return None


def _identifier() -> str:
    return "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(9))


@dataclass(frozen=True)
class ToolCall:
    """The call of number `index` in an answer; `arguments` is a JSON object as the model wrote it.

    The id has nine letters and digits, which is what the strictest chat template accepts.
    """

    index: int
    name: str
    arguments: str
    id: str = field(default_factory=_identifier, compare=False)


class ToolParser:
    """Takes an answer's text piece by piece, special tokens included; gives text and calls."""

    def __init__(self, form: Format) -> None:
        self._form = form
        self._held = ""  # text that is not given yet; begins with a call if one is under way
        self._reader: _Reader | None = None
        self._bare = form.bare  # whether JSON alone would be a call here
        self._count = 0

    def push(self, piece: str) -> list[str | ToolCall]:
        """What has become certain by another piece of text."""
        self._held += piece
        return list(self._advance(ended=False))

    def finish(self) -> list[str | ToolCall]:
        """What was held back, once the answer has ended."""
        return list(self._advance(ended=True))

    def _advance(self, *, ended: bool) -> Iterator[str | ToolCall]:
        while self._held:
            if self._reader is None:
                before = self._find(ended=ended)
                if before:
                    yield self._take(before)
                if self._reader is None:
                    return
            verdict = self._reader.read(self._held)
            if verdict is None and not ended:
                return
            yield from self._conclude(self._reader, sound=verdict is True)
            self._reader = None

    def _find(self, *, ended: bool) -> int:
        """Set the reader where a call begins; the length of the text before it."""
        if self._bare:
            self._reader = _Reader(self._form, 0)
            return 0
        opening = self._form.opening
        place = self._held.find(opening)
        if place >= 0:
            self._reader = _Reader(self._form, len(opening))
            return place
        return len(self._held) - (0 if ended else _overlap(self._held, opening))

    def _conclude(self, reader: _Reader, *, sound: bool) -> Iterator[str | ToolCall]:
        calls = _calls(self._held[reader.start : reader.place]) if sound else []
        if calls:
            self._take(reader.place + len(reader.tail))
            self._bare = self._form.bare
        else:
            self._bare = False
            if reader.opened:
                yield self._take(reader.opened)
        for name, arguments in calls:
            yield ToolCall(self._count, name, arguments)
            self._count += 1

    def _take(self, length: int) -> str:
        taken, self._held = self._held[:length], self._held[length:]
        return taken


class _Reader:
    """Reads on in a text until a call's brackets are closed and its closing marker is there."""

    def __init__(self, form: Format, opened: int) -> None:
        self._form = form
        self.opened = opened  # characters of the opening marker
        self.start = -1  # of the JSON
        self.place = opened  # of the next character; at last, the end of the JSON
        self.tail = ""  # behind the JSON
        self._depth = 0
        self._quoted = self._escaped = False

    def read(self, held: str) -> bool | None:
        """Whether the call is complete; None while it may still become so."""
        for character in held[self.place + len(self.tail) :]:
            verdict = self._step(character)
            if verdict is not None:
                return verdict
        return None

    def _step(self, character: str) -> bool | None:
        if self.start < 0:
            if character in SPACE or (self._form.bare and character == ";"):
                self.place += 1
                return None
            if character != self._form.bracket:
                return False
            self.start = self.place
        elif self._depth == 0:
            return self._close(character)
        self.place += 1
        if self._quoted:
            self._inside(character)
            return None
        if character not in OUTSIDE and character != '"':
            return False
        self._quoted = character == '"'
        self._depth += (character in "{[") - (character in "}]")
        return True if self._depth == 0 and not self._form.closing else None

    def _inside(self, character: str) -> None:
        """A character of a string."""
        self._quoted = self._escaped or character != '"'
        self._escaped = character == "\\" and not self._escaped

    def _close(self, character: str) -> bool | None:
        """A character behind the JSON."""
        self.tail += character
        marker = self.tail.lstrip(SPACE)
        if marker == self._form.closing:
            return True
        return None if self._form.closing.startswith(marker) else False


def _calls(text: str) -> list[tuple[str, str]]:
    """Names and arguments of the calls in a JSON text; none unless all are sound."""
    try:
        parts = _parts(text) if text.startswith("[") else {"": text}
        calls = [_call(_parts(part)) for part in parts.values()]
    except (ValueError, RecursionError):
        return []
    return [call for call in calls if call] if all(calls) else []


def _call(members: dict[str, str]) -> tuple[str, str] | None:
    name = json.loads(members.get("name", "null"))
    arguments = members.get("arguments", members.get("parameters", ""))
    if not isinstance(name, str) or not name or not arguments.startswith("{"):
        return None
    return name, arguments


def _parts(text: str) -> dict[str, str]:
    """The members of a JSON object or array as they are written, by key or number."""
    json.loads(text)
    parts: dict[str, str] = {}
    decode, place = json.JSONDecoder().raw_decode, _skip(text, 1)
    while text[place] not in "}]":
        key = str(len(parts))
        if text[0] == "{":
            key, place = decode(text, place)
            place = _skip(text, _skip(text, place) + 1)
        _, end = decode(text, place)
        parts[key] = text[place:end]
        place = _skip(text, end)
        place = _skip(text, place + (text[place] == ","))
    return parts


def _skip(text: str, place: int) -> int:
    while text[place] in SPACE:
        place += 1
    return place


def _overlap(text: str, marker: str) -> int:
    """How many characters at the end of `text` may be the beginning of `marker`."""
    longest = min(len(text), len(marker) - 1)
    return next((n for n in range(longest, 0, -1) if text.endswith(marker[:n])), 0)
