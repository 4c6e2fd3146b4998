"""Tokens into text as they come, holding back unfinished characters and possible stop strings."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from openhearth.data.tokenizer import Tokenizer

CONTEXT = 6  # tokens of the prompt that decide how the first token of the answer is spelt
LONGEST_CHARACTER = 4  # UTF-8 bytes, hence at most as many byte tokens
UNFINISHED = "\ufffd"


class TextStream:
    """The answer's text. After a stop string was met, `stopped` is true and nothing more comes."""

    def __init__(
        self,
        tokenizer: Tokenizer,
        prompt: Sequence[int],
        stops: Sequence[str],
        *,
        skip_special: bool = True,
    ) -> None:
        self._decoded = partial(tokenizer.decode, skip_special=skip_special)
        self._stops = [stop for stop in stops if stop]
        self._ids = list(prompt[-CONTEXT:])
        self._context = 0  # where the tokens begin that are decoded together with new ones
        self._read = len(self._ids)  # tokens whose text has been taken
        self._held = ""
        self.stopped = False

    def push(self, token: int) -> str:
        """The text that may be shown now that `token` has come; often empty, never too much."""
        self._ids.append(token)
        return self._release(self._decode(last=False), last=False)

    def finish(self) -> str:
        """What was still held back, at the end of the answer."""
        return self._release(self._decode(last=True), last=True)

    def _decode(self, *, last: bool) -> str:
        """The text of the tokens not yet taken; nothing while their last character is open."""
        before = self._decoded(self._ids[self._context : self._read])
        text = self._decoded(self._ids[self._context :])
        open_tokens = len(self._ids) - self._read
        if text.endswith(UNFINISHED) and open_tokens <= LONGEST_CHARACTER and not last:
            return ""
        self._context, self._read = self._read, len(self._ids)
        return text[len(before) :]

    def _release(self, text: str, *, last: bool) -> str:
        if self.stopped:
            return ""
        text = self._held + text
        found = [at for at in map(text.find, self._stops) if at >= 0]
        if found:
            self.stopped, self._held = True, ""
            return text[: min(found)]
        keep = 0 if last else max((_overlap(text, stop) for stop in self._stops), default=0)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep]


def _overlap(text: str, stop: str) -> int:
    """How many characters at the end of `text` could be the beginning of `stop`."""
    longest = min(len(text), len(stop) - 1)
    return next((n for n in range(longest, 0, -1) if text.endswith(stop[:n])), 0)
