"""What a model thinks before it answers, between `<think>` and `</think>`, parted from its text."""

from __future__ import annotations

OPEN, CLOSE = "<think>", "</think>"


def begins_inside(template: str, rendered: str) -> bool | None:
    """Whether an answer begins within a thought, which the template may have opened; None if the
    model was not taught to think.
    """
    if CLOSE not in template:
        return None
    return rendered.rstrip().endswith(OPEN)


class ThoughtReader:
    """Parts one answer's text as it comes. Only what stands first is a thought."""

    def __init__(self, inside: bool) -> None:
        self._inside = inside
        self._outside = False  # nothing that follows is a thought
        self._trimming = False
        self._held = ""

    def read(self, text: str, last: bool) -> tuple[str, str]:
        """The thought and the text that have become certain by these characters."""
        if self._outside:
            return "", self._after(text)
        self._held += text
        if not self._inside:
            begun = self._held.lstrip()
            if not begun.startswith(OPEN):
                if OPEN.startswith(begun) and not last:
                    return "", ""
                return "", self._leave(self._held, trimmed=False)
            self._inside, self._held = True, begun[len(OPEN) :]
        thought, closed, rest = self._held.partition(CLOSE)
        if closed:
            return thought, self._leave(rest, trimmed=True)
        kept = 0 if last else _beginning_of(CLOSE, self._held)
        cut = len(self._held) - kept
        thought, self._held = self._held[:cut], self._held[cut:]
        return thought, ""

    def _leave(self, rest: str, *, trimmed: bool) -> str:
        self._outside, self._held, self._trimming = True, "", trimmed
        return self._after(rest)

    def _after(self, text: str) -> str:
        """Without the empty lines between a thought and what is said."""
        if self._trimming:
            text = text.lstrip("\n")
            self._trimming = not text
        return text


def _beginning_of(tag: str, text: str) -> int:
    """How many characters at the end of a text may begin the tag."""
    return next((n for n in range(len(tag) - 1, 0, -1) if text.endswith(tag[:n])), 0)
