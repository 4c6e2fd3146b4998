"""HTML of which everything is text, such as a book's chapter: its tags removed, its blocks kept.

Unlike `html.py` nothing is judged to be boilerplate, and any markup takes linear time.
"""

from __future__ import annotations

import html
import re

PARAGRAPH = re.compile(
    "address|article|aside|blockquote|body|center|d[dlt]|div|fieldset|figcaption|figure|footer|"
    "form|h[1-6]|header|hr|main|nav|[ou]l|p|pre|section|table"
)
LINES = {"br": "", "tr": "", "caption": "", "li": "* "}  # and what such a line begins with
CELLS = frozenset({"td", "th"})
HIDDEN = frozenset({"head", "noscript", "script", "style", "svg", "template"})
_TAG = re.compile(r"(/?)([a-zA-Z][a-zA-Z0-9]*)[^>]*>")
_SPACE = re.compile(r"\s+")


def plain(page: str) -> str:
    """The text of a page: a blank line between paragraphs, `*` before items, `pre` as it is.

    Elements that a browser does not show are left out. A tag ends at its first `>`.
    """
    lines = _Lines()
    first, *pieces = page.split("<")
    lines.add(unescape(first))
    skipped = ""  # up to where nothing is shown: `-->`, `]>`, or an end tag such as `/script`
    for piece in pieces:
        if skipped.startswith("/"):
            if piece[: len(skipped)].lower() == skipped:
                skipped = ""
                lines.add(unescape(piece.partition(">")[2]))
        elif skipped or (skipped := _skips(piece)):
            _, ended, rest = piece.partition(skipped)
            skipped = "" if ended else skipped
            lines.add(unescape(rest))
        elif tag := _TAG.match(piece):
            name, is_end = tag[2].lower(), bool(tag[1])
            if name in HIDDEN and not is_end and not tag[0].endswith("/>"):
                skipped = f"/{name}"
            else:
                lines.turn(name, is_end)
                lines.add(unescape(piece[tag.end() :]))
        elif piece[:1] in ("!", "?", "/"):  # a declaration
            lines.add(unescape(piece.partition(">")[2]))
        else:
            lines.add("<" + unescape(piece))
    return lines.text()


def _skips(piece: str) -> str:
    """The end of the comment, or of the declarations, that begins with `<` and this piece."""
    if piece.startswith("!--"):
        return "-->"
    return "]>" if piece.startswith("!") and "[" in piece.partition(">")[0] else ""


def unescape(text: str) -> str:
    """Character references as the characters that they mean."""
    try:
        return html.unescape(text)
    except ValueError:  # a number of thousands of digits
        return text


class _Lines:
    """Text under way, with the breaks that come before what is added next."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.breaks = 0
        self.mark = ""
        self.formatted = 0  # how many `pre` are open
        self.spaced = True  # whether a space here would be one too many

    def turn(self, name: str, is_end: bool) -> None:
        """A tag."""
        if name == "pre":
            self.formatted = max(0, self.formatted + (-1 if is_end else 1))
        if PARAGRAPH.fullmatch(name):
            self._break(2 if not self.mark else 0)
        elif name in LINES and (name != "br" or not is_end):
            self._break(1)
            self.mark = "" if is_end else LINES[name]
        elif name in CELLS:
            self.add(" ")

    def add(self, text: str) -> None:
        """Some text between tags."""
        if not self.formatted:
            text = _SPACE.sub(" ", text)
            text = text.lstrip(" ") if self.spaced else text
        elif self.breaks:
            text = text.lstrip("\n")
        if not text:
            return
        if self.breaks and self.parts:
            self.parts.append("\n" * self.breaks)
        self.parts.append(self.mark + text)
        self.breaks, self.mark = 0, ""
        self.spaced = text[-1].isspace()

    def text(self) -> str:
        """All of it."""
        return "".join(self.parts).strip()

    def _break(self, count: int) -> None:
        self.breaks = max(self.breaks, count)
        self.spaced = True
        if self.parts:
            self.parts[-1] = self.parts[-1].rstrip()
