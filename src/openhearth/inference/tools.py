"""Tool calls in an answer, found while it streams.

Models write calls as JSON behind a marker of their family. A call is given as soon as its name is
known and its arguments begin, and these as they come. Text is held back until then, and what looked
like a call and was none comes out as the text that it is. A call that was given is not taken back:
where it breaks off, its arguments end, and text goes on. The outcome does not depend on how the
text was cut into pieces.
"""

from __future__ import annotations

import secrets
import string
from collections.abc import Generator
from dataclasses import dataclass, field
from itertools import takewhile
from typing import TypeVar

from openhearth.inference.tool_format import Format
from openhearth.inference.tool_json import SPACE, Brackets, name_in, whole_call

T = TypeVar("T")


def _identifier() -> str:
    return "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(9))


@dataclass(frozen=True)
class ToolCall:
    """The call of number `index` in an answer begins.

    The id has nine letters and digits, which is what the strictest chat template accepts.
    """

    index: int
    name: str
    id: str = field(default_factory=_identifier, compare=False)


@dataclass(frozen=True)
class Arguments:
    """More of the arguments of call `index`: a piece of a JSON object as the model wrote it, which
    nobody has checked.
    """

    index: int
    text: str


Part = str | ToolCall | Arguments
Steps = Generator[Part | None, None, T]  # None: more text is needed


class ToolParser:
    """Takes an answer's text piece by piece, special tokens included; gives text and calls."""

    def __init__(self, form: Format) -> None:
        self._form = form
        self._held = ""  # text that is not given yet
        self._place = 0  # how far a call was read in it
        self._ended = False
        self._count = 0  # of calls
        self._parts = self._answer()

    def push(self, piece: str) -> list[Part]:
        """What has become certain by another piece of text."""
        self._held += piece
        return [part for part in takewhile(lambda part: part is not None, self._parts) if part]

    def finish(self) -> list[Part]:
        """What was held back, once the answer has ended."""
        self._ended = True
        return self.push("")

    def _answer(self) -> Steps[None]:
        bare = self._form.bare  # whether JSON alone would be a call here
        while bare or (yield from self._speech()):
            called = yield from self._calls("" if bare else self._form.opening)
            bare = called and self._form.bare

    def _speech(self) -> Steps[bool]:
        """Text up to a marker; False if the answer ends without one."""
        opening = self._form.opening
        while (place := self._held.find(opening)) < 0:
            kept = 0 if self._ended else _overlap(self._held, opening)
            yield self._take(len(self._held) - kept)
            if self._ended:
                return False
            yield None
        yield self._take(place)
        return True

    def _calls(self, opening: str) -> Steps[bool]:
        """Calls behind a marker; False if there are none, or where they break off."""
        self._place, before = len(opening), self._count
        sound = yield from self._listed()
        if self._count == before:
            yield self._take(len(opening))
            return False
        if self._form.closing:
            sound = yield from self._expect(self._form.closing)
        if sound or self._place == len(self._held):  # what is held is no text but closes the call
            self._take(self._place)
        return sound

    def _listed(self) -> Steps[bool]:
        """One call, or several in brackets; False where they break off."""
        several = self._form.bracket == "["
        if several and not (yield from self._expect("[")):
            return False
        while (yield from self._call()):
            self._take(self._place)
            if not several or (yield from self._expect("]")):
                return True
            if not (yield from self._expect(",")):
                return False
        return False

    def _call(self) -> Steps[bool]:
        """An object that is a call; False where it is none or breaks off."""
        yield from self._skip(SPACE + ";" if self._form.bare else SPACE)
        if (yield from self._peek()) != "{":
            return False
        start, brackets = self._place, Brackets()
        name = yield from self._head(brackets)
        if name is not None:
            yield self._begin(name)
            self._take(self._place - 1)
            return (yield from self._arguments(brackets)) and (yield from self._tail(brackets))
        whole = yield from self._tail(brackets)
        call = whole_call(self._held[start : self._place]) if whole else None
        if call is None:
            return False
        yield self._begin(call[0])
        yield Arguments(self._count - 1, call[1])
        return True

    def _head(self, brackets: Brackets) -> Steps[str | None]:
        """Read an object up to the first one in it, and give its name, if that is its arguments."""
        start = self._place
        while (yield from self._read(brackets)) and brackets.depth:
            if brackets.depth == 2 and self._held[self._place - 1] == "{" and not brackets.quoted:
                return name_in(self._held[start : self._place - 1])
        return None

    def _arguments(self, brackets: Brackets) -> Steps[bool]:
        """The arguments, whose first bracket has been read; False where they break off."""
        sound = True
        while sound and brackets.depth > 1:
            while self._place == len(self._held) and not self._ended:
                yield from self._flow()
                yield None
            sound = yield from self._read(brackets)
        yield from self._flow()
        return sound

    def _flow(self) -> Steps[None]:
        """What was read is arguments."""
        if self._place:
            yield Arguments(self._count - 1, self._take(self._place))

    def _tail(self, brackets: Brackets) -> Steps[bool]:
        """Read on to the end of the object; False where it breaks off."""
        while brackets.depth:
            if not (yield from self._read(brackets)):
                return False
        return True

    def _begin(self, name: str) -> ToolCall:
        self._count += 1
        return ToolCall(self._count - 1, name)

    def _read(self, brackets: Brackets) -> Steps[bool]:
        """Go on by a character of JSON; False if something else is there, or nothing."""
        sound = brackets.read((yield from self._peek()))
        self._place += sound
        return sound

    def _expect(self, text: str) -> Steps[bool]:
        """Go on behind spaces and this text; False if something else is there, or nothing."""
        yield from self._skip(SPACE)
        for wanted in text:
            if (yield from self._peek()) != wanted:
                return False
            self._place += 1
        return True

    def _skip(self, characters: str) -> Steps[None]:
        while (character := (yield from self._peek())) and character in characters:
            self._place += 1

    def _peek(self) -> Steps[str]:
        """The next character; none at the end of the answer."""
        while self._place == len(self._held) and not self._ended:
            yield None
        return self._held[self._place : self._place + 1]

    def _take(self, length: int) -> str:
        taken, self._held = self._held[:length], self._held[length:]
        self._place -= length
        return taken


def _overlap(text: str, marker: str) -> int:
    """How many characters at the end of `text` may be the beginning of `marker`."""
    longest = min(len(text), len(marker) - 1)
    return next((n for n in range(longest, 0, -1) if text.endswith(marker[:n])), 0)
